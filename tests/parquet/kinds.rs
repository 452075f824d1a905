//! Parquet files in the variants that common writers produce.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const SCHEMA: &str = "message rows {
    required int64 id;
    required binary story (STRING);
    optional binary text (UTF8);
    required binary image;
}";

/// A file of row groups with seven rows each; every third text is missing.
pub fn file(options: impl FnOnce(WriterPropertiesBuilder) -> WriterPropertiesBuilder, n_groups: usize) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(options(WriterProperties::builder()).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    for group in 0..n_groups {
        let mut row_group = writer.next_row_group().unwrap();
        let mut column = row_group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[0, 1, 2, 3, 4, 5, 6], None, None).unwrap();
        column.close().unwrap();
        let texts = |name: &str| -> Vec<ByteArray> {
            (0..7).map(|row| format!("{name} {group}.{row} é").as_str().into()).collect()
        };
        let columns = [("story", None), ("text", Some([1, 1, 0, 1, 1, 0, 1])), ("image", None)];
        for (name, levels) in columns {
            let mut values = texts(name).into_iter();
            let present: Vec<ByteArray> = match levels {
                Some(levels) => values.zip(levels).filter(|(_, level)| *level == 1).map(|(text, _)| text).collect(),
                None => values.by_ref().collect(),
            };
            let mut column = row_group.next_column().unwrap().unwrap();
            let levels = levels.as_ref().map(|levels| &levels[..]);
            column.typed::<ByteArrayType>().write_batch(&present, levels, None).unwrap();
            column.close().unwrap();
        }
        row_group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// Every supported kind of file.
pub fn kinds() -> Vec<Vec<u8>> {
    let mut kinds = Vec::new();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            let plain = |properties: WriterPropertiesBuilder| {
                properties.set_writer_version(version).set_compression(codec).set_dictionary_enabled(false)
            };
            kinds.push(file(|p| p.set_writer_version(version).set_compression(codec), 2));
            kinds.push(file(|p| plain(p).set_encoding(Encoding::PLAIN), 3));
            let delta = |p| plain(p).set_column_encoding("text".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
            kinds.push(file(|p| delta(p).set_column_encoding("id".into(), Encoding::PLAIN), 1));
        }
    }
    kinds
}
