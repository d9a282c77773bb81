namespace Kptr.Isa;

/// <summary>
/// The signs and words of BPF's C-like assembler, read by the assembler and printed by the disassembler.
/// </summary>
internal static class AsmWords
{
    private static readonly (string Sign, int Op)[] Alu =
    [
        ("+=", BpfOp.Add), ("-=", BpfOp.Sub), ("*=", BpfOp.Mul), ("/=", BpfOp.Div), ("|=", BpfOp.Or), ("&=", BpfOp.And),
        ("<<=", BpfOp.Lsh), (">>=", BpfOp.Rsh), ("%=", BpfOp.Mod), ("^=", BpfOp.Xor), ("=", BpfOp.Mov),
        ("s>>=", BpfOp.Arsh),
    ];

    private static readonly (string Sign, int Op)[] Jumps =
    [
        ("==", BpfOp.Jeq), ("!=", BpfOp.Jne), (">", BpfOp.Jgt), (">=", BpfOp.Jge), ("<", BpfOp.Jlt), ("<=", BpfOp.Jle),
        ("&", BpfOp.Jset), ("s>", BpfOp.Jsgt), ("s>=", BpfOp.Jsge), ("s<", BpfOp.Jslt), ("s<=", BpfOp.Jsle),
    ];

    private static readonly (string Sign, string Name, int Op)[] Atomics =
    [
        ("+=", "add", BpfOp.Add), ("|=", "or", BpfOp.Or), ("&=", "and", BpfOp.And), ("^=", "xor", BpfOp.Xor),
    ];

    /// <summary>
    /// The assignment sign of an arithmetic operation (<c>+=</c>); it is there for all but negation and swaps.
    /// </summary>
    internal static string? AluSign(int op) => Alu.FirstOrDefault(a => a.Op == op).Sign;

    /// <summary>The operation of an assignment sign, or -1.</summary>
    internal static int AluOp(string sign) => Find(Alu, sign);

    /// <summary>The comparison sign of a conditional jump.</summary>
    internal static string? JumpSign(int op) => Jumps.FirstOrDefault(j => j.Op == op).Sign;

    /// <summary>The operation of a comparison sign, or -1.</summary>
    internal static int JumpOp(string sign) => Find(Jumps, sign);

    /// <summary>The assignment sign of an atomic read-modify-write, or null.</summary>
    internal static string? AtomicSign(int op) => Atomics.FirstOrDefault(a => a.Op == op).Sign;

    /// <summary>The word of an atomic read-modify-write (<c>add</c>), or null.</summary>
    internal static string? AtomicName(int op) => Atomics.FirstOrDefault(a => a.Op == op).Name;

    /// <summary>The operation of an atomic's sign or word, or -1.</summary>
    internal static int AtomicOp(string signOrName)
    {
        foreach (var (sign, name, op) in Atomics)
        {
            if (signOrName == sign || signOrName == name)
            {
                return op;
            }
        }

        return -1;
    }

    private static int Find((string Sign, int Op)[] table, string sign)
    {
        foreach (var (s, op) in table)
        {
            if (s == sign)
            {
                return op;
            }
        }

        return -1;
    }
}
