/** What the build uses of the assembler, which has no types of its own. */
declare module '@defasm/core' {
  export class AssemblyState {
    /** With `haltOnError` it throws a text about the first error of the source; otherwise it leaves out what is wrong. */
    compile(source: string, options: { readonly haltOnError: boolean }): void;
    /** The statements of the section .text. */
    readonly head: { dump(): Uint8Array };
  }
}
