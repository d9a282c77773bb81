namespace Kptr.Verifier;

/// <summary>Takes lines of the log that stand before a refusal.</summary>
internal interface ILogLines
{
    /// <summary>One line as it is.</summary>
    void Line(string line);
}
