//! The base of every view: the context, the connection to the workers, the address, and services of the browser.

pub mod context;
pub mod database;
pub mod download;
pub mod embed;
pub mod fetch;
pub mod files;
pub mod hub;
pub mod kernels;
pub mod keys;
pub mod link;
pub mod locks;
pub mod navigation;
pub mod parquet;
pub mod preferences;
pub mod questions;
pub mod shown;
pub mod store;
pub mod workers;
