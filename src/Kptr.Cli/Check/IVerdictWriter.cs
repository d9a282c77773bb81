using Kptr.Diagnostics;

namespace Kptr.Cli.Check;

/// <summary>How verdicts are printed.</summary>
internal interface IVerdictWriter
{
    /// <summary>Prints what each kernel says of one program.</summary>
    void Write(string file, ProgVerdicts verdicts);

    /// <summary>A file that cannot be judged. It is said on standard error besides.</summary>
    void Refuse(Diagnostic fault)
    {
        // That is all there is to say of it, unless a format has a place for it.
    }

    /// <summary>After the last program.</summary>
    void Finish(VerdictCount count)
    {
        // Nothing, unless a format has an end.
    }
}
