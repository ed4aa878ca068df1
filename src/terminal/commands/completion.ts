import type { Command as Program } from 'commander';
import type { Command } from '../command.ts';
import { CommandEnd, EXIT } from '../exit-codes.ts';
import { connect, type GlobalOptions, type Terminal } from '../terminal.ts';
import { allPipelines } from './ls.ts';

const COMPLETE = '__complete';

/**
 * Each asks `sluice __complete` for the candidates, one a line, and the shell itself for names of files. None hands them to what expands words, such as `compgen -W` in
 * bash: names come from the service.
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_sluice() {
  local candidate
  COMPREPLY=()
  while IFS= read -r candidate; do
    if [[ $candidate == "\${COMP_WORDS[COMP_CWORD]}"* ]]; then COMPREPLY+=("$candidate"); fi
  done < <(sluice ${COMPLETE} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _sluice sluice`,
  zsh: `#compdef sluice
_sluice() {
  local -a candidates
  candidates=("\${(@f)$(sluice ${COMPLETE} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=(\${candidates:#})
  compadd -a candidates || _files
}
compdef _sluice sluice`,
  fish: `complete -c sluice -a '(sluice ${COMPLETE} -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
};

export const completion: Command = {
  name: 'completion',
  summary: 'print the completion script of a shell',
  examples: [
    ['source <(sluice completion bash)', 'for this shell; zsh takes the same'],
    ['sluice completion fish > ~/.config/fish/completions/sluice.fish', 'for all to come'],
  ],
  define(program, terminal) {
    program.argument('<shell>', Object.keys(SCRIPTS).join(', ')).action(async (shell: string) => {
      const script = SCRIPTS[shell];
      if (script === undefined)
        throw new CommandEnd(EXIT.usage, `There is no completion for ${shell}, but for ${Object.keys(SCRIPTS).join(', ')}.`);
      await terminal.printOwn(script);
    });
  },
};

export const complete: Command = {
  name: COMPLETE,
  summary: 'print the candidates for the last of these words',
  examples: [],
  define(program, terminal) {
    program
      .argument('[words...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(async (words: string[]) => {
        const found = await candidates(words, program.parent as Program, terminal);
        for (const candidate of found.filter((name) => HARMLESS.test(name))) await terminal.print(candidate);
      });
  },
};

/** A name that means nothing else to a shell. */
const HARMLESS = /^[\w.~:@-]+$/;

/** How long a service may take to name its pipelines. */
const PATIENCE_MS = 1000;

async function candidates(words: readonly string[], root: Program, terminal: Terminal): Promise<string[]> {
  const current = words.at(-1) ?? '';
  const [name, ...before] = words.slice(0, -1).filter((word) => !word.startsWith('-'));
  const command = root.commands.find((one) => one.name() === name);
  if (current.startsWith('-')) {
    const options = [...(command?.options ?? []), ...root.options]
      .map(({ long }) => long)
      .filter((long) => long !== undefined && long !== null);
    return [...options, '--help'].filter((option) => option.startsWith(current));
  }
  if (name === undefined) {
    const names = root.commands.map((one) => one.name());
    return names.filter((one) => one !== COMPLETE && one.startsWith(current));
  }
  const [first] = command?.registeredArguments ?? [];
  if (before.length > 0 || first?.name() !== 'pipeline') return [];
  const signal = AbortSignal.any([terminal.signal, AbortSignal.timeout(PATIENCE_MS)]);
  // Nobody wants a message in the middle of what they are typing.
  const pipelines = await allPipelines(connect(terminal, root.opts<GlobalOptions>()), signal).catch(() => []);
  return pipelines.map(({ id }) => id).filter((id) => id.startsWith(current) && !id.startsWith('-'));
}
