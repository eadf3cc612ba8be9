import { Argument, type Command } from "commander";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** How each shell loads the script, as a hint for its installation. */
const INSTALL: Record<Shell, string> = {
  bash: "echo 'source <(acme completion bash)' >> ~/.bashrc",
  zsh: "echo 'source <(acme completion zsh)' >> ~/.zshrc",
  fish: "acme completion fish > ~/.config/fish/completions/acme.fish",
};

export function addCompletionCommand(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes commands and options in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText("after", `\nInstall it:\n${SHELLS.map((shell) => `  $ ${INSTALL[shell]}`).join("\n")}`)
    .action((shell: Shell) => console.log(scriptOf(shell, program)));
}

interface Word {
  word: string;
  description: string;
}

/** Words that can follow each command path: `""`, `"runs"`, `"runs list"`. */
export function wordsByPath(program: Command): Map<string, Word[]> {
  const words = new Map<string, Word[]>();
  const visit = (command: Command, path: string): void => {
    const help = command.createHelp();
    words.set(path, [
      ...help
        .visibleCommands(command)
        .map((each) => ({ word: each.name(), description: each.description() })),
      ...help
        .visibleOptions(command)
        .map((option) => ({ word: option.long ?? option.short ?? "", description: option.description })),
    ]);
    for (const each of command.commands) visit(each, `${path} ${each.name()}`.trim());
  };
  visit(program, "");
  return words;
}

function scriptOf(shell: Shell, program: Command): string {
  const words = wordsByPath(program);
  if (shell === "fish") return fishScript(words);
  const cases = [...words]
    .map(([path, list]) => `    "${path}") words="${list.map(({ word }) => word).join(" ")}" ;;`)
    .join("\n");
  // `at` is the path of commands that was typed before the cursor. (zsh reserves the name `path`.)
  const body = `  local at="" word words=""
  for word in "\${typed[@]}"; do
    case "$word" in
      -*) ;;
      *) case "$known" in *"|\${at:+$at }$word|"*) at="\${at:+$at }$word" ;; esac ;;
    esac
  done
  case "$at" in
${cases}
  esac`;
  const known = `|${[...words.keys()].filter(Boolean).join("|")}|`;
  if (shell === "bash") {
    return `_acme() {
  local known="${known}"
  local typed=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
${body}
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _acme acme`;
  }
  return `#compdef acme
_acme() {
  local known="${known}"
  local -a typed
  typed=("\${(@)words[2,CURRENT-1]}")
${body.replaceAll('words=""', 'candidates=""').replaceAll(" words=", " candidates=")}
  compadd -- \${=candidates}
  _files
}
compdef _acme acme`;
}

/** fish completes by conditions on what was typed. */
function fishScript(words: Map<string, Word[]>): string {
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines: string[] = [];
  for (const [path, list] of words) {
    const parts = path.split(" ").filter(Boolean);
    const inside = parts.map((part) => `__fish_seen_subcommand_from ${part}`).join("; and ");
    const subcommands = list.filter(({ word }) => !word.startsWith("-")).map(({ word }) => word);
    const none = subcommands.length > 0 ? `not __fish_seen_subcommand_from ${subcommands.join(" ")}` : "";
    const condition = [parts.length === 0 ? "__fish_use_subcommand" : inside, parts.length === 0 ? "" : none]
      .filter(Boolean)
      .join("; and ");
    for (const { word, description } of list) {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      lines.push(`complete -c acme -n ${quoted(condition)} ${what} -d ${quoted(description)}`);
    }
  }
  return lines.join("\n");
}
