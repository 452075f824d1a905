// Writes the smallest Parquet files: columns of required strings, one row group, one plain page each.

// A field's header and an integer of Thrift's compact protocol: seven bits a byte, the sign in the lowest bit.
const varint = (n) => (n < 128 ? [n] : [(n % 128) | 128, ...varint(Math.floor(n / 128))]);
const integer = (step, n, kind = 5) => [(step << 4) | kind, ...varint(2 * n)];
const bytes = (text) => [...varint(Buffer.byteLength(text)), ...Buffer.from(text)];
const string = (step, text) => [(step << 4) | 8, ...bytes(text)];
const list = (step, kind, items) => [(step << 4) | 9, ...(items.length < 15 ? [(items.length << 4) | kind] : [240 | kind, ...varint(items.length)]), ...items.flat()];
const STRUCT = 12;
const UTF8 = 0;

// `columns` maps names to arrays of texts of equal length. `encoding` 0 is plain, 8 a dictionary, which is missing.
export function parquet(columns, encoding = 0) {
  const names = Object.keys(columns);
  const rows = columns[names[0]].length;
  const parts = [Buffer.from("PAR1")];
  let offset = 4;
  const chunks = names.map((name) => {
    const values = columns[name].map((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(text));
      return Buffer.concat([length, Buffer.from(text)]);
    });
    const body = Buffer.concat(values);
    const data = [(5 - 3) << 4 | STRUCT, ...integer(1, rows), ...integer(1, encoding), ...integer(1, 3), ...integer(1, 3), 0];
    const header = Buffer.from([...integer(1, 0), ...integer(1, body.length), ...integer(1, body.length), ...data, 0]);
    parts.push(header, body);
    const begin = offset;
    offset += header.length + body.length;
    const size = offset - begin;
    const facts = [...integer(1, 6), ...list(1, 5, [varint(2 * encoding)]), ...list(1, 8, [bytes(name)]), ...integer(1, 0),
      ...integer(1, rows, 6), ...integer(1, size, 6), ...integer(1, size, 6), ...integer(2, begin, 6), 0];
    return [...integer(2, begin, 6), (1 << 4) | STRUCT, ...facts, 0];
  });
  const leaf = (name) => [...integer(1, 6), ...integer(2, 0), ...string(1, name), ...integer(2, UTF8), 0];
  const schema = [[...string(4, "rows"), ...integer(1, names.length), 0], ...names.map(leaf)];
  const group = [...list(1, STRUCT, chunks), ...integer(1, offset - 4, 6), ...integer(1, rows, 6), 0];
  const footer = Buffer.from([...integer(1, 1), ...list(1, STRUCT, schema), ...integer(1, rows, 6), ...list(1, STRUCT, [group]), 0]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([...parts, footer, length, Buffer.from("PAR1")]);
}
