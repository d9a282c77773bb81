using System.Runtime.CompilerServices;
using Kptr.Objects;

namespace Kptr.AheadOfTime;

#pragma warning disable CS0169, CS0649, CA1823, IDE0044, IDE0051 // maps fill these structs, C# does not

/// <summary>A value whose kptrs lie in a struct, a tuple, an inline array and a generic struct inside it.</summary>
internal struct Value
{
    public DateTime At;
    public Inner In;
    public Three Slots;
    public Pair<Widget> Generic;
    public Kptr<Widget> Last;

    internal struct Inner
    {
        private long _before;
        private (int, Kptr<Widget>) _tuple;
    }

    internal struct Pair<T>
        where T : KernelObject
    {
        public Kptr<T> First;
        public Kptr<T> Second;
    }

    [InlineArray(3)]
    internal struct Three
    {
        private Kptr<Widget> _first;
    }
}

/// <summary>A key of plain bytes, by a buffer, a tuple and a struct inside it.</summary>
internal unsafe struct Key
{
    public fixed byte Name[8];
    public (int, int) Pair;
    public Part Last;

    internal struct Part
    {
        public DayOfWeek Day;
        public int Number;
    }
}

/// <summary>A value with a struct that no other code can name, so that nothing keeps its fields.</summary>
internal struct Hiding
{
    private Hidden _inner;

    private struct Hidden
    {
        private Kptr<Widget> _slot;
    }
}
