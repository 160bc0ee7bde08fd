/** What an ELF program asks of the host that runs it, read without binutils: hosts that build often lack them. */

/** The needs of a 64-bit little-endian ELF file. */
interface Needs {
  /** Shared libraries, in the file's order, such as `libc.so.6`. */
  readonly libraries: readonly string[];
  /** Symbol versions by library, such as `libc.so.6` -> `['GLIBC_2.2.5', 'GLIBC_2.28']`. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
}

const SHF_ALLOC = 2n;
const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_VERNEED = 0x6ffffffen;
const DT_VERNEEDNUM = 0x6fffffffn;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly size: number;
}

/** Throws an Error saying so when the bytes are not a 64-bit little-endian ELF file. */
export function readNeeds(file: Buffer): Needs {
  if (file.length < 64 || file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') {
    throw new Error('not a 64-bit little-endian ELF file');
  }
  const segments = readSegments(file);
  const dynamic = readDynamic(file, segments);
  const strings = fileOffset(segments, one(dynamic, DT_STRTAB));
  const text = (offset: number): string => {
    const start = strings + offset;
    return file.toString('latin1', start, file.indexOf(0, start));
  };
  return {
    libraries: (dynamic.get(DT_NEEDED) ?? []).map((offset) => text(Number(offset))),
    versions: dynamic.has(DT_VERNEED)
      ? readVersions(file, fileOffset(segments, one(dynamic, DT_VERNEED)), Number(one(dynamic, DT_VERNEEDNUM)), text)
      : new Map(),
  };
}

/**
 * The file without symbols and debug information, which make up its end: the sections after the last one that is loaded,
 * except the names of sections. Unlike strip of binutils it needs nothing of the host and gives the same bytes on all hosts.
 */
export function withoutSymbols(file: Buffer): Buffer {
  const sections = readSections(file);
  const loaded = sections.slice(0, sections.findLastIndex(({ flags }) => (flags & SHF_ALLOC) !== 0n) + 1);
  const names = sections.at(file.readUInt16LE(62));
  const first = sections.at(loaded.length);
  if (names === undefined || first === undefined)
    throw new Error('the file has no section after those that are loaded');
  const padding = Buffer.alloc(-(first.offset + names.size) & 7);
  const stripped = Buffer.concat([
    file.subarray(0, first.offset),
    file.subarray(names.offset, names.offset + names.size),
    padding,
    ...[...loaded, names].map(({ header }) => header),
  ]);
  const headers = first.offset + names.size + padding.length;
  stripped.writeBigUInt64LE(BigInt(headers), 40);
  stripped.writeUInt16LE(loaded.length + 1, 60);
  stripped.writeUInt16LE(loaded.length, 62);
  stripped.writeBigUInt64LE(BigInt(first.offset), headers + loaded.length * names.header.length + 24);
  return stripped;
}

const PAGE = 4096;

/**
 * The program with an entry of its own: the code that `assemble` makes, which is given the address of the entry until then.
 * It lies behind the code of the same segment, in the rest of its last page, which is loaded anyway.
 */
export function withEntry(file: Buffer, assemble: (entry: number) => Buffer): Buffer {
  const entry = file.readBigUInt64LE(24);
  const start = Number(file.readBigUInt64LE(32));
  const index = readSegments(file).findIndex(
    ({ type, address, size }) => type === PT_LOAD && entry >= address && entry < address + BigInt(size),
  );
  const segment = readSegments(file)[index];
  if (file.readUInt16LE(16) !== ET_EXEC || segment === undefined)
    throw new Error('the program is not loaded at the addresses that its file names');
  const code = assemble(Number(entry));
  const end = segment.offset + segment.size;
  const free = file.subarray(end, Math.ceil(end / PAGE) * PAGE);
  if (free.length < code.length || free.some((byte) => byte !== 0))
    throw new Error(`there are no ${code.length} free bytes behind the code of the program`);
  const changed = Buffer.from(file);
  changed.set(code, end);
  changed.writeBigUInt64LE(segment.address + BigInt(segment.size), 24);
  const size = BigInt(segment.size + code.length);
  const header = start + index * file.readUInt16LE(54);
  changed.writeBigUInt64LE(size, header + 32);
  changed.writeBigUInt64LE(size, header + 40);
  return changed;
}

interface Section {
  readonly header: Buffer;
  readonly flags: bigint;
  readonly offset: number;
  readonly size: number;
}

function readSections(file: Buffer): readonly Section[] {
  const start = Number(file.readBigUInt64LE(40));
  const size = file.readUInt16LE(58);
  return Array.from({ length: file.readUInt16LE(60) }, (_, i) => {
    const header = file.subarray(start + i * size, start + (i + 1) * size);
    return {
      header,
      flags: header.readBigUInt64LE(8),
      offset: Number(header.readBigUInt64LE(24)),
      size: Number(header.readBigUInt64LE(32)),
    };
  });
}

/** The newest version of a library that is asked for, such as `2.28` for prefix `GLIBC_`; undefined if none is. */
export function newestVersion(needs: Needs, prefix: string): string | undefined {
  return [...needs.versions.values()]
    .flat()
    .filter((name) => name.startsWith(prefix) && /^\d/.test(name.slice(prefix.length)))
    .map((name) => name.slice(prefix.length))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1);
}

function readSegments(file: Buffer): readonly Segment[] {
  const start = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  return Array.from({ length: file.readUInt16LE(56) }, (_, i) => {
    const at = start + i * size;
    return {
      type: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 8)),
      address: file.readBigUInt64LE(at + 16),
      size: Number(file.readBigUInt64LE(at + 32)),
    };
  });
}

function readDynamic(file: Buffer, segments: readonly Segment[]): ReadonlyMap<bigint, readonly bigint[]> {
  const segment = segments.find(({ type }) => type === PT_DYNAMIC);
  if (segment === undefined) throw new Error('the program is linked statically');
  const entries = new Map<bigint, bigint[]>();
  for (let at = segment.offset; at < segment.offset + segment.size; at += 16) {
    const tag = file.readBigInt64LE(at);
    if (tag === 0n) break;
    const values = entries.get(tag) ?? [];
    values.push(file.readBigUInt64LE(at + 8));
    entries.set(tag, values);
  }
  return entries;
}

function readVersions(
  file: Buffer,
  start: number,
  count: number,
  text: (offset: number) => string,
): ReadonlyMap<string, readonly string[]> {
  const versions = new Map<string, readonly string[]>();
  for (let i = 0, at = start; i < count; i++) {
    const names: string[] = [];
    const auxiliaries = file.readUInt16LE(at + 2);
    for (let j = 0, aux = at + file.readUInt32LE(at + 8); j < auxiliaries; j++) {
      names.push(text(file.readUInt32LE(aux + 8)));
      aux += file.readUInt32LE(aux + 12);
    }
    versions.set(text(file.readUInt32LE(at + 4)), names);
    at += file.readUInt32LE(at + 12);
  }
  return versions;
}

function one(dynamic: ReadonlyMap<bigint, readonly bigint[]>, tag: bigint): bigint {
  const value = dynamic.get(tag)?.[0];
  if (value === undefined) throw new Error(`the dynamic section lacks tag 0x${tag.toString(16)}`);
  return value;
}

function fileOffset(segments: readonly Segment[], address: bigint): number {
  const segment = segments.find(
    ({ type, address: start, size }) => type === PT_LOAD && address >= start && address < start + BigInt(size),
  );
  if (segment === undefined) throw new Error(`no part of the file is loaded at 0x${address.toString(16)}`);
  return segment.offset + Number(address - segment.address);
}
