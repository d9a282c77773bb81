using Kptr.Diagnostics;

namespace Kptr.Verifier.Context;

/// <summary>What is wrong with an access; the explorer knows of which register and instruction.</summary>
/// <param name="Code">Its code.</param>
/// <param name="Message">The kernel's words.</param>
internal sealed record Fault(DiagCode Code, string Message);
