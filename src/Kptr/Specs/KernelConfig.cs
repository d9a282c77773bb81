using System.Collections.Immutable;

namespace Kptr.Specs;

/// <summary>Kernel configurations: a small default, and the reader of <c>/boot/config-...</c> files.</summary>
public static class KernelConfig
{
    /// <summary>What BPF programs usually ask for, as a common distribution kernel for x86-64 sets it.</summary>
    public static ImmutableDictionary<string, string> Default { get; } = Parse(
        """
        CONFIG_64BIT=y
        CONFIG_X86_64=y
        CONFIG_SMP=y
        CONFIG_HZ=250
        CONFIG_NR_CPUS=8192
        CONFIG_PAGE_SHIFT=12
        CONFIG_PGTABLE_LEVELS=5
        CONFIG_PREEMPT_VOLUNTARY=y
        CONFIG_PREEMPTION=y
        CONFIG_PREEMPT_RCU=y
        CONFIG_PREEMPT_DYNAMIC=y
        CONFIG_BPF=y
        CONFIG_BPF_SYSCALL=y
        CONFIG_BPF_JIT=y
        CONFIG_BPF_EVENTS=y
        CONFIG_BPF_LSM=y
        CONFIG_DEBUG_INFO_BTF=y
        CONFIG_KALLSYMS=y
        CONFIG_MODULES=y
        CONFIG_KPROBES=y
        CONFIG_UPROBES=y
        CONFIG_FUNCTION_ERROR_INJECTION=y
        CONFIG_FTRACE=y
        CONFIG_FUNCTION_TRACER=y
        CONFIG_CGROUPS=y
        CONFIG_CGROUP_BPF=y
        CONFIG_MEMCG=y
        CONFIG_NUMA=y
        CONFIG_NET=y
        CONFIG_NET_NS=y
        CONFIG_INET=y
        CONFIG_IPV6=y
        CONFIG_SECURITY=y
        CONFIG_X86_KERNEL_IBT=y
        """);

    /// <summary>Reads lines of <c>CONFIG_NAME=value</c>; comments and everything else are passed over.</summary>
    public static ImmutableDictionary<string, string> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var config = ImmutableDictionary.CreateBuilder<string, string>();
        foreach (var line in text.Split('\n', StringSplitOptions.TrimEntries))
        {
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            if (line.StartsWith("CONFIG_", StringComparison.Ordinal) && equals > 0)
            {
                config[line[..equals]] = line[(equals + 1)..];
            }
        }

        return config.ToImmutable();
    }
}
