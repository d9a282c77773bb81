namespace Kptr.Soundness;

/// <summary>Writes fragments of some kind into a program; here is what all kinds need.</summary>
/// <param name="text">The program.</param>
internal abstract class FragmentWriter(ProgText text)
{
    protected static readonly string[] JumpSigns = ["==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"];

    protected ProgText Text => text;

    protected Random Random => text.Random;

    protected Surroundings Around => text.Around;

    protected RegKind[] Regs
    {
        get => text.Regs;
        set => text.Regs = value;
    }

    protected bool HasContext => Regs[6] == RegKind.Context;

    protected void Fragment() => text.Fragment();

    protected void Block(int most) => text.Block(most);

    protected void Function(string name, Action body) => text.Function(name, body);

    protected int Stack(int sizeBytes) => text.Stack(sizeBytes);

    protected string NewLabel() => text.NewLabel();

    protected void Emit(string line) => text.Emit(line);

    /// <summary>What both ways of a branch leave; registers that differ are unknown.</summary>
    protected void MergeRegs(RegKind[] other)
    {
        for (var i = 0; i < Regs.Length; i++)
        {
            Regs[i] = Regs[i] == other[i] ? Regs[i] : RegKind.None;
        }
    }

    protected void EmitCall(string name, bool returnsScalar = false)
    {
        Emit($"call {name}");
        for (var i = 1; i <= 5; i++)
        {
            Regs[i] = RegKind.None;
        }

        Regs[0] = returnsScalar ? RegKind.Scalar : RegKind.None;
    }

    protected bool Chance(int oneIn) => Random.Next(oneIn) == 0;

    /// <summary>Whether to do something wrong; of programs about owners, only those are that are to be.</summary>
    protected bool Errs(int oneIn) => Chance(oneIn) && (!Text.IsAboutOwners || Text.IsWrong);

    protected T Pick<T>(params ReadOnlySpan<T> of) => of[Random.Next(of.Length)];

    /// <summary>A callee-saved register that nobody needs, now kept; 0 where there is none.</summary>
    protected int Keep()
    {
        int[] free = [.. Enumerable.Range(7, 3).Where(r => Regs[r] != RegKind.Kept)];
        if (free.Length == 0)
        {
            return 0;
        }

        var reg = Pick<int>(free);
        Regs[reg] = RegKind.Kept;
        return reg;
    }

    protected void Drop(int reg) => Regs[reg] = RegKind.None;

    protected void EmitAddress(int reg, int stackOff)
    {
        Emit($"r{reg} = r10");
        Emit($"r{reg} += {stackOff}");
    }

    /// <summary>A register with a number in it; gets one where there is none.</summary>
    /// <param name="not">A register that it is not, and that must stay as it is.</param>
    protected int AnyScalar(int not = -1)
    {
        int[] known = [.. Enumerable.Range(0, 10).Where(r => Regs[r] == RegKind.Scalar && r != not)];
        if (known.Length > 0 && !Chance(5))
        {
            return Pick<int>(known);
        }

        var reg = AnyTarget(not);
        NewNumber(reg, mayCall: not < 0 && !Around.IsLocked);
        Regs[reg] = RegKind.Scalar;
        return reg;
    }

    private void NewNumber(int reg, bool mayCall)
    {
        switch (Random.Next(mayCall ? 8 : 3))
        {
            case 0:
                Emit($"r{reg} = {Words.Imm(Random)}");
                break;
            case 1:
                Emit($"w{reg} = {Words.Imm(Random)}");
                break;
            case 2:
                Emit($"r{reg} = {Words.Any(Random)} ll");
                break;
            default:
                EmitCall(Pick<string>(
                    "bpf_get_prandom_u32", "bpf_get_prandom_u32", "bpf_ktime_get_ns", "bpf_get_smp_processor_id"));
                Emit($"r{reg} = r0");
                break;
        }
    }

    /// <summary>A register that may be overwritten.</summary>
    protected int AnyTarget(int not = -1)
    {
        int[] free =
        [
            .. Enumerable.Range(0, 10).Where(r => Regs[r] is not (RegKind.Kept or RegKind.Context) && r != not),
        ];
        return Pick<int>(free);
    }
}
