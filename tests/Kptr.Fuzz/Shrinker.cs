namespace Kptr.Fuzz;

/// <summary>Leaves out of an input what its finding does not need.</summary>
internal static class Shrinker
{
    /// <summary>Writes the smaller input beside the file, as <c>FILE.small</c>.</summary>
    /// <returns>1 where the file shows nothing.</returns>
    internal static int Run(FuzzTarget target, string path)
    {
        var input = File.ReadAllBytes(path);
        if (FaultOf(target, input) is not { } fault)
        {
            Console.WriteLine($"{path}: nothing is wrong");
            return 1;
        }

        var small = Shrink(target, input, fault);
        File.WriteAllBytes(path + ".small", small);
        Console.WriteLine($"{path}: {fault}, {input.Length} bytes shrunk to {small.Length}");
        return 0;
    }

    /// <summary>Drops pieces of halving size as long as the same kind of fault comes from the same place.</summary>
    internal static byte[] Shrink(FuzzTarget target, byte[] input, string fault)
    {
        for (var size = input.Length / 2; size > 0; size /= 2)
        {
            for (var at = 0; at + size <= input.Length;)
            {
                byte[] smaller = [.. input.AsSpan(0, at), .. input.AsSpan(at + size)];
                if (FaultOf(target, smaller) == fault)
                {
                    input = smaller;
                }
                else
                {
                    at += size;
                }
            }
        }

        return input;
    }

    /// <summary>The exception's type and the method that threw it; null where there is none.</summary>
    internal static string? FaultOf(FuzzTarget target, byte[] input)
    {
        try
        {
            Finding.Look(target, input);
            return null;
        }
#pragma warning disable CA1031 // any exception is a finding
        catch (Exception e)
#pragma warning restore CA1031
        {
            return $"{e.GetType().Name} in {e.TargetSite?.DeclaringType?.Name}.{e.TargetSite?.Name}";
        }
    }
}
