using System.CommandLine;

namespace Kptr.Cli.Completion;

/// <summary><c>kptr completion SHELL</c>: a script that completes commands, options and their values.</summary>
internal static class CompletionCommand
{
    private static readonly Argument<string> Shell = new("SHELL") { Description = "bash, zsh or fish." };

    // The tool itself says what may stand at a place of a line, so a script never knows less than it.
    private static readonly Dictionary<string, string> Scripts = new()
    {
        ["bash"] = """
            _kptr() {
                local words
                words=$(kptr "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)
                local IFS=$'\n'
                COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
                [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o filenames -F _kptr kptr
            """,
        ["zsh"] = """
            #compdef kptr
            _kptr() {
                local line="${(j: :)words[1,CURRENT]}"
                local -a found
                found=("${(@f)$(kptr "[suggest:${#line}]" "$line" 2>/dev/null)}")
                [[ -n "$found" ]] && compadd -- $found && [[ -n "${words[CURRENT]}" ]] && return
                _files
            }
            compdef _kptr kptr
            """,
        ["fish"] = """
            complete -c kptr -a '(kptr "[suggest:"(string length -- (commandline -cp))"]" (commandline -cp) 2>/dev/null)'
            """,
    };

    public static Command Create()
    {
        Shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        var command = new Command("completion", "Prints a shell's script that completes kptr's command lines.")
        {
            Shell,
        };
        command.SetAction(parsed =>
        {
            Console.WriteLine(Scripts[parsed.GetValue(Shell)!]);
            return ExitCodes.Ok;
        });
        return command;
    }
}
