using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Maps;

// What C# does wrong with values in live memory.
public abstract partial class BpfMap
{
    /// <summary>
    /// Whether a <c>ref</c> to a value may lose its key while somebody has it: not where elements
    /// live as long as the map does.
    /// </summary>
    internal virtual bool CanDeleteValues => true;

    /// <summary>Whether who looks values up in live memory is checked.</summary>
    internal bool IsLookupChecked => CanDeleteValues && Core.LooksFor(MisuseChecks.Values);

    /// <summary>
    /// Reports that a value in live memory is handed to C# outside a reader, where the kernel looks for that.
    /// </summary>
    /// <param name="value">Its address; 0 for none, which is no mistake.</param>
    /// <returns>The address.</returns>
    internal ulong Checked(ulong value)
    {
        if (value != 0 && IsLookupChecked && !Core.Rcu.IsReader && !Core.RcuTrace.IsReader)
        {
            Core.Report(new(DiagCode.ValueOutsideRcu,
                "a ref to a value is taken outside an RCU reader: the memory may get another key")
            {
                Object = ToString(),
                Site = Core.SiteHere(),
            });
        }

        return value;
    }
}
