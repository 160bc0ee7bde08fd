/** Assembles the first step of a start (first-step.asm) and makes it the entry of the Node.js program for x86-64. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AssemblyState } from '@defasm/core';
import { ALLOWED, CONSTANTS, MALLOC_SETTINGS } from '../src/system/environment.ts';
import { EXECUTED_AGAIN, NEEDED, PREPARED } from '../src/system/execute-again.ts';
import { withEntry } from './elf.ts';

/** Numbers of capabilities (capabilities(7)). */
const CAPABILITIES = { chown: 0, dac_override: 1, setgid: 6, setuid: 7 } as const;

/** The program with the first step as its entry. */
export function withFirstStep(program: Buffer): Buffer {
  return withEntry(program, (entry) => assemble(firstStep(entry)));
}

/** The source of the first step; `entry` is the address of Node.js's own. */
export function firstStep(entry: number): string {
  const kept = NEEDED.reduce((bits, name) => bits | (1 << CAPABILITIES[name]), 0);
  // The locale's variables: LANG and all that begin with LC_.
  const names = [...ALLOWED, 'LANG'].map((name) => `${name}=`);
  const string = (text: string): string => `.ascii "${text}\\0"\n`;
  const table = (texts: readonly string[]): string => `${texts.map(string).join('')}.byte 0\n`;
  const variables = (entries: Iterable<readonly [string, string]>): string =>
    table([...entries].map(([name, value]) => `${name}=${value}`));
  return [
    `EXECUTED_AGAIN_LENGTH = ${EXECUTED_AGAIN.length}\nCAPABILITIES = ${kept}\nNODE = ${entry}\n`,
    readFileSync(join(import.meta.dirname, 'first-step.asm'), 'utf8'),
    `prepared:\n${string(PREPARED)}`,
    `allowed:\n${table([...names, 'LC_'])}`,
    `constants:\n${variables(CONSTANTS)}`,
    `settings:\n${variables(Object.entries(MALLOC_SETTINGS))}`,
  ].join('');
}

/** The machine code of a source in AT&T syntax. Throws an Error that names the line. */
export function assemble(source: string): Buffer {
  const state = new AssemblyState();
  try {
    state.compile(source, { haltOnError: true });
  } catch (problem) {
    throw new Error(`first-step.asm: ${problem}`);
  }
  return Buffer.from(state.head.dump());
}
