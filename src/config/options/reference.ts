/** The reference of options and keys as Markdown tables for docs/reference.md, generated from the tables that parse them. */
import { PROFILE_KEYS, profileRow } from '../profiles/profile-table.ts';
import { RESOURCE_PROFILE_TABLE, type ResourceProfileRow } from '../profiles/resource-profiles.ts';
import { OPTION_NAMES, optionRow } from './option-table.ts';

/** Three tables: options, keys of profiles, keys of resource profiles. */
export function referenceMarkdown(): string {
  return [
    'Origin: `documented` for the first-party plugin, `newer` in its later documentation, `SDK` of the public plugin SDKs, `ours` for this plugin only.\n',
    '## Options\n',
    table(
      ['option', 'default', 'value', 'meaning', 'origin'],
      OPTION_NAMES.map((name) => {
        const { shown, kind, doc, only, provenance } = optionRow(name);
        return [code(name), shown, kind.allowed, only === undefined ? doc : `${doc} (${only} only)`, provenance];
      }),
    ),
    '\n## Keys of profiles\n',
    table(
      ['key', 'default', 'value', 'meaning', 'origin'],
      PROFILE_KEYS.map((key) => {
        const { shown, kind, doc, provenance } = profileRow(key);
        return [code(key), shown, kind.allowed, doc, provenance];
      }),
    ),
    '\n## Keys of resource profiles\n',
    table(
      ['key', 'value', 'meaning', 'origin'],
      Object.entries<ResourceProfileRow>(RESOURCE_PROFILE_TABLE).map(([key, { kind, doc, isOurs = false }]) => [
        code(key),
        kind.allowed,
        doc,
        isOurs ? 'ours' : 'newer',
      ]),
    ),
  ].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [titles, titles.map(() => '---'), ...rows];
  return `${lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')}\n`;
}
