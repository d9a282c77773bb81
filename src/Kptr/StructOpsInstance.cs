using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr;

/// <summary>
/// A struct of operations that an object's programs implement (<c>SEC(".struct_ops")</c>), callable from C#.
/// </summary>
/// <remarks>What calls the operations in Linux (a congestion control, a scheduler) is the caller here.</remarks>
public sealed class StructOpsInstance
{
    private readonly StructOpsMap _map;
    private readonly ImmutableDictionary<string, BpfProgram> _members;

    internal StructOpsInstance(StructOpsMap map, StructOpsSpec spec, IReadOnlyDictionary<string, BpfProgram> programs)
    {
        _map = map;
        TypeName = spec.TypeName;
        _members = spec.Slots
            .Where(s => programs.ContainsKey(s.Prog))
            .ToImmutableDictionary(s => s.Member, s => programs[s.Prog]);
    }

    /// <summary>The struct's name in the kernel.</summary>
    public string TypeName { get; }

    /// <summary>The programs by the member that they implement.</summary>
    public IReadOnlyDictionary<string, BpfProgram> Members => _members;

    /// <summary>Whether it is registered.</summary>
    public bool IsRegistered => _map.IsRegistered;

    /// <summary>
    /// Registers it, as loading the map does in Linux; its programs are pinned until it is unregistered.
    /// </summary>
    /// <returns>Dispose it to unregister.</returns>
    /// <exception cref="InvalidOperationException">It is registered already.</exception>
    /// <exception cref="ObjectDisposedException">Its object is disposed.</exception>
    public IDisposable Register()
    {
        var pins = new Registration(this);
        try
        {
            Register(pins);
            return pins;
        }
        catch
        {
            pins.LetGo();
            throw;
        }
    }

    /// <summary>Name of the struct, and how many programs implement it.</summary>
    public override string ToString() =>
        $"struct_ops \"{_map.Name}\" ({TypeName}, {_members.Count} programs{(IsRegistered ? ", registered" : "")})";

    /// <summary>Calls one operation.</summary>
    /// <param name="member">Its name in the struct.</param>
    /// <param name="args">Its arguments; objects by <see cref="Objects.KernelObject.Address"/>.</param>
    /// <exception cref="ArgumentException">No program implements it.</exception>
    public ProgramResult Call(string member, params ReadOnlySpan<ulong> args) =>
        _members.TryGetValue(member, out var program)
            ? program.RunWithArgs(args)
            : throw new ArgumentException($"{TypeName}.{member} is implemented by no program", nameof(member));

    private void Register(Registration pins)
    {
        pins.Take();
        var err = _map.UpdateElem(new byte[sizeof(int)], _map.Spec.InitialValue.IsDefaultOrEmpty
            ? new byte[_map.ValueSize] : _map.Spec.InitialValue.AsSpan());
        if (err != Errno.None)
        {
            throw new InvalidOperationException($"{_map.Name} cannot be registered: {err}");
        }
    }

    /// <summary>Keeps the map and the programs for as long as the struct is registered.</summary>
    private sealed class Registration : IDisposable
    {
        private readonly StructOpsInstance _of;
        private readonly List<BpfProgram> _pinned = [];
        private bool _hasMap;
        private int _isEnded;

        internal Registration(StructOpsInstance of)
        {
            _of = of;
        }

        private string Purpose => $"struct_ops \"{_of._map.Name}\"";

        /// <summary>Ends the registration.</summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isEnded, 1) == 0)
            {
                _of._map.DeleteElem(new byte[sizeof(int)]);
                LetGo();
            }
        }

        internal void Take()
        {
            _hasMap = _of._map.TryHold();
            ObjectDisposedException.ThrowIf(!_hasMap, _of._map);
            foreach (var program in _of._members.Values)
            {
                ObjectDisposedException.ThrowIf(!program.Object.TryHold(Purpose), program);
                _pinned.Add(program);
            }
        }

        internal void LetGo()
        {
            _pinned.ForEach(p => p.Object.Put(Purpose));
            if (_hasMap)
            {
                _of._map.Put();
            }
        }
    }
}
