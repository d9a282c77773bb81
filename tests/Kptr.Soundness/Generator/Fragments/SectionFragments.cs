namespace Kptr.Soundness;

/// <summary>Sections that forbid something inside.</summary>
internal sealed class SectionFragments(ProgText text) : FragmentWriter(text)
{
    public void RcuSection() => Rcu(() => Block(2));

    public void PreemptSection() => Section("bpf_preempt_disable", "bpf_preempt_enable", () => Block(2));

    /// <summary>A call that may sleep.</summary>
    public void Sleep()
    {
        if (Around.Section is not ("syscall" or "lsm.s/file_open") || (Around.Sections > 0 && !Errs(4)))
        {
            return;
        }

        var buffer = Stack(8);
        EmitAddress(1, buffer);
        Emit("r2 = 8");
        Emit("r3 = 4096");
        EmitCall("bpf_copy_from_user", returnsScalar: true);
    }

    /// <summary>Inside an RCU section: of its own, where there is none yet.</summary>
    public void Rcu(Action inside)
    {
        if (Around.IsInRcu && !Errs(12))
        {
            inside();
            return;
        }

        var outer = Around.IsInRcu;
        Around.IsInRcu = true;
        Section("bpf_rcu_read_lock", "bpf_rcu_read_unlock", inside);
        Around.IsInRcu = outer;
    }

    private void Section(string begin, string end, Action inside)
    {
        EmitCall(begin);
        Around.Sections++;
        inside();
        Around.Sections--;
        EmitCall(end);
    }
}
