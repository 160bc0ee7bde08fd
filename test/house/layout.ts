/** The rooms of src/ as data: which folders there are, and which of them may import which. */

interface Room {
  /** Other rooms that this one may import. */
  readonly imports: readonly string[];
  /** Folders inside, each with those of its siblings that it may import. Files beside them may import all, and be imported by all. */
  readonly inside?: Readonly<Record<string, readonly string[]>>;
}

export const ROOMS: Readonly<Record<string, Room>> = {
  system: { imports: [] },
  templates: {
    imports: ['system'],
    inside: {
      language: [],
      yaml: [],
      'functions/regex': [],
      'functions/time': [],
      functions: ['language', 'yaml', 'functions/regex', 'functions/time'],
    },
  },
  config: {
    imports: ['system'],
    inside: { text: [], profiles: ['text'], options: ['text', 'profiles'] },
  },
  kubernetes: {
    imports: ['system'],
    inside: {
      'watch/protobuf': [],
      http: [],
      watch: ['http', 'watch/protobuf'],
      logs: ['http'],
      streams: ['http'],
    },
  },
  jobs: {
    imports: ['config', 'kubernetes', 'system', 'templates'],
    inside: {
      objects: [],
      policy: ['objects'],
      view: ['objects', 'policy'],
      operations: ['objects', 'policy', 'view'],
      upkeep: ['objects', 'policy', 'view', 'operations'],
    },
  },
  launcher: { imports: ['jobs', 'system'] },
  cli: { imports: ['config', 'jobs', 'kubernetes', 'system', 'templates'], inside: { check: [] } },
};

/** Files beside the rooms: they connect them. */
export const WIRING = ['src/main.ts', 'src/plugin.ts', 'src/start.ts'];

/** The packages that src/ may use; each is bundled into the executable. */
export const PACKAGES = ['ini', 'jsonpointer', 'kubernetes-types', 'ws'];

/** Tests without a file of src/ whose name they begin with. */
export const UNMIRRORED = [
  // The list of conformance rules and the titles of all tests.
  'test/launcher/conformance.test.ts',
  // A template of a site, from text to object: all of src/templates.
  'test/templates/job-template.test.ts',
];

/** The room of a file of src/, and its folder inside that room ('' beside the folders). */
export function placeOf(path: string): { readonly room: string; readonly inside: string } | undefined {
  const [top, room, ...rest] = path.split('/').slice(0, -1);
  return top === 'src' && room !== undefined ? { room, inside: rest.join('/') } : undefined;
}

/** May a file of src/ import another one? Files that connect the rooms may import all. */
export function mayImport(path: string, target: string): boolean {
  const from = placeOf(path);
  const to = placeOf(target);
  if (from === undefined) return true;
  if (to === undefined) return false;
  const room = ROOMS[from.room];
  if (from.room !== to.room) return room?.imports.includes(to.room) === true;
  if (from.inside === to.inside || from.inside === '' || to.inside === '') return true;
  return room?.inside?.[from.inside]?.includes(to.inside) === true;
}
