/** The part of undici that is used; importing only this keeps the executable small (engineering-notes.md section 1). */
declare module 'undici/lib/dispatcher/pool.js' {
  import { Pool } from 'undici';

  export = Pool;
}
