//! The Train view: sentence, all heads, the large map, the inspector, the loss, the text, and training time.

pub mod attention;
pub mod compare;
pub mod figures;
pub mod film;
pub mod inspector;
pub mod loss;
pub mod task_score;
pub mod time;
pub mod view;
pub mod writing;
