/** `profile USER`: what holds for a user, and who wrote that where. */

import { PROFILE_KEYS, type ProfileKey, profileRow } from '../config/profiles/profile-table.ts';
import type { EffectiveProfile } from '../config/profiles/profiles.ts';
import { type CamelCase, camelCase } from '../config/text/kinds.ts';
import { place } from '../config/text/problem.ts';
import type { Setting } from '../config/text/settings.ts';
import type { Arguments } from './arguments.ts';
import { type Command, EXIT_OK } from './command-contract.ts';
import { openPolicyFiles } from './command-policy.ts';
import { begin, type CommandContext } from './command-session.ts';
import { clean, cleanJson, type Terminal, table } from './terminal.ts';
import { fold } from './text-columns.ts';
import { describeSections, describeUser, readUserReport, type UserReport } from './user-report.ts';

export const profile: Command = {
  name: 'profile',
  summary: 'Shows what a user may use: each value of their profile, with the file and line that sets it.',
  about:
    'Reads the profiles file as the plugin does, looks up the groups of the user in the name services of this host, and prints every key. Needs no cluster.',
  words: ['USER'],
  flags: [{ name: 'json', doc: 'Print one JSON object.' }],
  examples: [
    ['sudo rstudio-kubernetes-launcher profile jsmith', 'Why may jsmith not use more than 3 CPUs?'],
    ['sudo rstudio-kubernetes-launcher profile jsmith --json', 'The same as JSON, for programs.'],
  ],
  run: runProfile,
};

async function runProfile(args: Arguments, context: CommandContext, terminal: Terminal): Promise<number> {
  const [name = ''] = args.words;
  const options = await begin(args.options, context, terminal);
  const { profiles } = openPolicyFiles(options, terminal);
  const person = await readUserReport(profiles, context.users, name);
  if (args.flags.has('json')) terminal.write(`${cleanJson(asJson(person), 2)}\n`);
  else {
    for (const line of [describeUser(person), `${describeSections(person)}, of ${options.profileConfig}`])
      terminal.write(`${fold(clean(line), terminal.columns).join('\n')}\n`);
    terminal.write('\n');
    const rows = settingsOf(person.profile).map((setting) => [
      setting.key,
      valueText(setting),
      sourceOf(setting, options.profileConfig),
    ]);
    terminal.write(table([['KEY', 'VALUE', 'FROM'], ...rows], terminal, { flowing: 1 }));
  }
  return EXIT_OK;
}

/** The profiles file is named above the table. */
function sourceOf({ origin }: Setting<unknown>, profiles: string): string {
  if (origin === undefined) return 'default';
  return origin.file === profiles ? `line ${origin.line}` : place(origin);
}

interface KeyedSetting extends Setting<unknown> {
  readonly key: ProfileKey;
}

function settingsOf(of: EffectiveProfile): readonly KeyedSetting[] {
  return PROFILE_KEYS.map((key) => ({ key, ...(of[camelCase(key) as CamelCase<ProfileKey>] as Setting<unknown>) }));
}

function asJson({ name, user, sections, profile: of }: UserReport) {
  return {
    user: name,
    ...(user === undefined ? {} : { uid: user.uid, groups: [...user.groups] }),
    sections: sections.map(({ kind, name: section, file, line }) => ({ kind, name: section, file, line })),
    profile: Object.fromEntries(
      settingsOf(of).map(({ key, value, origin }) => [
        key,
        { value: value ?? null, ...(origin === undefined ? {} : origin) },
      ]),
    ),
  };
}

/** A value as it would be written in a profiles file, a default as the reference has it; `-` for none. */
function valueText({ key, value, origin }: KeyedSetting): string {
  const { fallback, shown, kind } = profileRow(key);
  return (origin === undefined || value === fallback ? shown : kind.write(value)) || '-';
}
