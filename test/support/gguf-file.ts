/**
 * A GGUF file taken apart, so that a test can break it anywhere and put it together again.
 *
 * Owns: the container's layout, without any check. Must not know: what is worth breaking.
 */

export interface Entry {
  key: string;
  /** GGUF's number of the value's type; 9: an array of `element`. */
  type: number;
  element?: number;
  /** Numbers of 64 bits are bigint. */
  value: Scalar | Scalar[];
  /** What the file says the array's length is, where that is a lie. */
  claimed?: bigint;
}

export type Scalar = number | bigint | string | Buffer;

export interface TensorEntry {
  name: string;
  dimensions: bigint[];
  type: number;
  offset: bigint;
  data: Buffer;
}

export interface GgufFile {
  magic: string;
  version: number;
  entries: Entry[];
  tensors: TensorEntry[];
  /** What the header says, where that is a lie. */
  claimedEntries?: bigint;
  claimedTensors?: bigint;
  /** Offsets are kept as they are, though the tensors before have other sizes. */
  keepOffsets?: boolean;
}

const alignment = 32;
export const arrayType = 9;
export const stringType = 8;
const scalarBytes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

export function parseGguf(bytes: Buffer): GgufFile {
  let at = 4;
  const take = (count: number) => bytes.subarray(at, (at += count));
  const uint32 = () => take(4).readUInt32LE();
  const uint64 = () => take(8).readBigUInt64LE();
  const string = () => take(Number(uint64())).toString("latin1");
  const scalar = (type: number): Scalar =>
    type === stringType ? string() : readNumber(take(scalarBytes[type]!), type);
  const version = uint32();
  const [tensorCount, entryCount] = [Number(uint64()), Number(uint64())];
  const entries = Array.from({ length: entryCount }, (): Entry => {
    const [key, type] = [string(), uint32()];
    if (type !== arrayType) return { key, type, value: scalar(type) };
    const [element, length] = [uint32(), Number(uint64())];
    return { key, type, element, value: Array.from({ length }, () => scalar(element)) };
  });
  const infos = Array.from({ length: tensorCount }, () => {
    const name = string();
    const dimensions = Array.from({ length: uint32() }, uint64);
    return { name, dimensions, type: uint32(), offset: uint64() };
  });
  const begin = padded(at);
  const tensors = infos.map((info, i) => {
    const from = begin + Number(info.offset);
    const to = i + 1 < infos.length ? begin + Number(infos[i + 1]!.offset) : bytes.length;
    return { ...info, data: bytes.subarray(from, to) };
  });
  return { magic: "GGUF", version, entries, tensors };
}

export function serialiseGguf(file: GgufFile): Buffer {
  const parts: Buffer[] = [];
  const put = (...more: Buffer[]) => parts.push(...more);
  put(Buffer.from(file.magic, "latin1"), uint32(file.version));
  put(uint64(file.claimedTensors ?? BigInt(file.tensors.length)));
  put(uint64(file.claimedEntries ?? BigInt(file.entries.length)));
  for (const { key, type, element = 0, value, claimed } of file.entries) {
    put(string(key), uint32(type));
    if (!Array.isArray(value)) put(encode(value, type));
    else {
      put(uint32(element), uint64(claimed ?? BigInt(value.length)));
      for (const one of value) put(encode(one, element));
    }
  }
  let offset = 0n;
  const datas: Buffer[] = [];
  for (const tensor of file.tensors) {
    put(string(tensor.name), uint32(tensor.dimensions.length), ...tensor.dimensions.map(uint64), uint32(tensor.type));
    put(uint64(file.keepOffsets === true ? tensor.offset : offset));
    const space = padded(tensor.data.length);
    datas.push(tensor.data, Buffer.alloc(space - tensor.data.length));
    offset += BigInt(space);
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length), ...datas]);
}

function padded(size: number): number {
  return Math.ceil(size / alignment) * alignment;
}

function readNumber(bytes: Buffer, type: number): number | bigint {
  const readers = [
    () => bytes.readUInt8(),
    () => bytes.readInt8(),
    () => bytes.readUInt16LE(),
    () => bytes.readInt16LE(),
    () => bytes.readUInt32LE(),
    () => bytes.readInt32LE(),
    () => bytes.readFloatLE(),
    () => bytes.readUInt8(),
    () => 0,
    () => 0,
    () => bytes.readBigUInt64LE(),
    () => bytes.readBigInt64LE(),
    () => bytes.readDoubleLE(),
  ];
  return readers[type]!();
}

/** A value that the type has no room for is cut down to its last bytes. */
function encode(value: Scalar, type: number): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (type === stringType) return string(String(value));
  if (typeof value === "string") return Buffer.from(value, "latin1");
  const bytes = Buffer.alloc(8);
  if (type === 6) bytes.writeFloatLE(Number(value));
  else if (type === 12) bytes.writeDoubleLE(Number(value));
  else
    bytes.writeBigUInt64LE(
      BigInt.asUintN(64, typeof value === "bigint" ? value : BigInt(Number.isFinite(value) ? Math.trunc(value) : 0)),
    );
  return bytes.subarray(0, scalarBytes[type] ?? 4);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([uint64(BigInt(bytes.length)), bytes]);
}
