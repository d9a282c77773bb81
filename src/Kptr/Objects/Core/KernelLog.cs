using Kptr.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Kptr.Objects;

/// <summary>The events that a kernel logs. Event ids stay the same for ever.</summary>
internal static partial class KernelLog
{
    [LoggerMessage(EventId = 1, Level = LogLevel.Error, Message = "Kernel fault {Code}: {Fault}")]
    internal static partial void Fault(ILogger logger, DiagCode code, string fault);

    [LoggerMessage(EventId = 2, Level = LogLevel.Debug,
        Message = "Grace period {Sequence} of {Flavor} ended, {Callbacks} callbacks")]
    internal static partial void GracePeriodEnded(ILogger logger, string flavor, long sequence, int callbacks);
}
