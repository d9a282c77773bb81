using System.CommandLine;

namespace Kptr.Cli.Help;

/// <summary>What help says of a command besides its arguments and options.</summary>
internal sealed record HelpPage
{
    private const string Output = "Output";

    private static readonly (string, string)[] JudgeCodes =
    [
        ("0", "Every kernel asked takes every program."),
        ("1", "Some kernel refuses a program, or a program is not supported."),
        ("2", "Bad usage, a file that cannot be read (the others are judged), or output that cannot be written."),
    ];

    private static readonly Dictionary<string, HelpPage> Pages = new()
    {
        ["check"] = new()
        {
            ExitCodes = JudgeCodes,
            Examples =
            [
                ("kptr check prog.bpf.o", "Judge every program of an object for Linux 6.12."),
                ("kptr check build --kernels all", "All objects below a directory, a column a kernel."),
                ("kptr check build --only rejected --format sarif > kptr.sarif",
                    "What is refused, for a code scanner."),
                ("kptr check prog.bpf.o --kernel-btf /sys/kernel/btf/vmlinux --nearest linux-6.12",
                    "For the kernel that runs here."),
            ],
        },
        ["inspect"] = new()
        {
            ExitCodes =
            [
                ("0", "Every file was shown."),
                ("2", "Bad usage, a file that cannot be read (the others are shown), or output that cannot be "
                    + "written."),
            ],
            Examples =
            [
                ("kptr inspect prog.bpf.o", "Programs, maps with their special fields, kfuncs."),
                ("kptr inspect prog.bpf.o --disasm --program on_exit",
                    "One program's instructions between its C lines."),
            ],
        },
        ["run"] = new()
        {
            ExitCodes =
            [
                ("0", "It ran, and all references came back when the object was closed."),
                ("1", "The kernel refuses a program."),
                ("2", "Bad usage, a file that cannot be read, a step that cannot be done, or output that cannot be "
                    + "written."),
                ("3", "A program faulted, or references are lost."),
            ],
            Examples =
            [
                ("kptr run tracker.bpf.o --trace trace.txt", "What it would have pinned while the trace was recorded."),
                ("kptr run tracker.bpf.o --live --for 10s", "What it would pin on this machine."),
                ("kptr run tracker.bpf.o --scenario steps.txt", "What it does when these things happen."),
                ("kptr run filter.bpf.o --test on_packet --data packet.bin", "What it says of one packet."),
            ],
        },
        ["explain"] = new()
        {
            ExitCodes = [("0", "It was explained."), ("2", "There is no such code.")],
            Examples = [("kptr explain UnreleasedRef", "What the code in parentheses of a refusal means.")],
        },
        ["completion"] = new()
        {
            Examples =
            [
                ("source <(kptr completion bash)", "In ~/.bashrc."),
                ("kptr completion fish | source", "In ~/.config/fish/config.fish."),
            ],
        },
        ["plugin"] = new()
        {
            ExitCodes =
            [
                ("0", "The program ran; r0 is printed in hex."),
                ("1", "The run ended with a fault."),
                ("2", "Bad input."),
            ],
        },
    };

    /// <summary>Which heading an option stands under; others under "Options".</summary>
    private static readonly Dictionary<string, string> Groups = new()
    {
        ["--kernel-btf"] = "Kernel", ["--module-btf"] = "Kernel", ["--profile"] = "Kernel", ["--kernels"] = "Kernel",
        ["--nearest"] = "Kernel",
        ["--format"] = Output, ["--color"] = Output, ["--only"] = Output, ["--log-level"] = Output,
    };

    public (string Code, string Meaning)[] ExitCodes { get; init; } = [];

    public (string Line, string Meaning)[] Examples { get; init; } = [];

    public string SeeAlso { get; init; } = "";

    public static HelpPage Of(Command command) => command is RootCommand
        ? new() { SeeAlso = "kptr help COMMAND says how a command is used, with its exit codes and examples." }
        : Pages.GetValueOrDefault(command.Name) ?? new();

    public static string GroupOf(Option option) => Groups.GetValueOrDefault(option.Name, "Options");
}
