using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Flow;

// The life of a resource: made, used, spent, out of sight.
internal sealed partial class Evaluator
{
    private bool Is(int id, ResourceKind kind) => id >= 0 && body[id].Kind == kind;

    private int Make(
        IOperation origin, ResourceKind kind, PathState state, Status status = Status.Owned, string? what = null,
        bool isFromExchange = false)
    {
        var resource = body.Of(origin, kind, origin.Syntax, what ?? ShownAs(origin));
        resource.IsFromExchange = isFromExchange;
        if (state.Items.TryGetValue(resource.Id, out var before))
        {
            SetAside(resource, before, origin, state);
        }

        state.Items[resource.Id] = new(status)
        {
            IsNonNull = origin.Type?.OriginalDefinition.SpecialType != SpecialType.System_Nullable_T,
        };
        return resource.Id;
    }

    // In a loop, what was made the last time round may still be held.
    private void SetAside(Resource resource, Item before, IOperation origin, PathState state)
    {
        if (!state.IsHeld(resource.Id))
        {
            if (before.Status == Status.Owned && resource.Kind is ResourceKind.Reference or ResourceKind.Owner)
            {
                body.Lose(resource.Id, before, Lines.Of(origin.Syntax));
            }

            return;
        }

        var earlier = body.Earlier(resource);
        var isTaken = state.Items.TryGetValue(earlier.Id, out var known) && known.IsLive;
        state.Items[earlier.Id] = isTaken ? new(Status.Escaped) : before;
        state.Rename(resource.Id, earlier.Id);
    }

    private static string ShownAs(IOperation origin) => origin is IInvocationOperation call
        ? $"that '{call.TargetMethod.Name}' returns" : "made here";

    /// <summary>A look at what is good inside a reader only.</summary>
    private int Look(IOperation origin, string what, PathState state)
    {
        if (body.IsInsideReader)
        {
            return PathState.Unknown;
        }

        if (HasReader(state))
        {
            return Make(origin, ResourceKind.Look, state, what: what);
        }

        if (state.HadReader || body.IsOutermost)
        {
            body.Report(
                Rules.OutsideReader, origin.Syntax,
                $"No RCU reader is open here: {what} may be gone or another's at any moment");
        }

        return PathState.Unknown;
    }

    private bool HasReader(PathState state) => state.Items.Any(
        i => body[i.Key].Kind == ResourceKind.Reader && i.Value.Status is Status.Owned or Status.Escaped);

    private void UseLook(int value, IOperation at, PathState state)
    {
        if (Is(value, ResourceKind.Look) && state.Items.TryGetValue(value, out var item)
            && item is { Status: Status.Spent, IsMixed: false })
        {
            var what = body[value].What;
            body.Report(Rules.OutsideReader, at.Syntax,
                $"The reader in which this was found (line {body[value].Line}) has ended: "
                + $"{what} may be gone or another's");
            state.Items[value] = new(Status.Escaped);
        }
    }

    private void Use(int value, IMethodSymbol method, IOperation at, PathState state)
    {
        if (method.Name == "TryClone" && body.Known.IsReference(method.ContainingType))
        {
            CheckUse(value, at, null, state);
        }
    }

    /// <summary>Uses what must not have been spent; false where it was.</summary>
    private bool CheckUse(int value, IOperation at, ISymbol? through, PathState state)
    {
        if (!Is(value, ResourceKind.Reference) || !state.Items.TryGetValue(value, out var item)
            || item is not { Status: Status.Spent, How: { } how })
        {
            return true;
        }

        if (!(item.IsMixed && item.IsGuarded))
        {
            if (through is not null && how.Through is not null
                && !SymbolEqualityComparer.Default.Equals(through, how.Through))
            {
                body.Report(Rules.Copied, at.Syntax,
                    $"'{through.Name}' is a copy of '{how.Through.Name}', and both are one reference, "
                    + $"which was {how.Verb} on line {how.Line}");
            }
            else
            {
                body.Report(Rules.UsedAfterMove, at.Syntax, body[value].Shown, how.Verb, how.Line);
            }
        }

        state.Items[value] = new(Status.Escaped);
        return false;
    }

    private void Spend(int value, string verb, IOperation at, ISymbol? through, PathState state)
    {
        if (value < 0 || !state.Items.TryGetValue(value, out var item) || !CheckUse(value, at, through, state))
        {
            return;
        }

        if (item.IsLive)
        {
            NoteMeeting(value, item);
            state.Items[value] = new(Status.Spent) { How = new(verb, Lines.Of(at.Syntax), through) };
            if (Is(value, ResourceKind.Reader))
            {
                EndReader(state);
            }
        }
    }

    private void EndReader(PathState state)
    {
        state.HadReader = true;
        if (!HasReader(state))
        {
            foreach (var look in state.Items.Where(
                i => body[i.Key].Kind == ResourceKind.Look && i.Value.IsLive).ToList())
            {
                state.Items[look.Key] = new(Status.Spent);
            }
        }
    }

    private void Escape(int value, PathState state)
    {
        if (value >= 0 && body[value].Kind != ResourceKind.Look
            && state.Items.TryGetValue(value, out var item) && item.IsLive)
        {
            NoteMeeting(value, item);
            state.Items[value] = new(Status.Escaped);
        }
    }

    // A program or a map that lives on needs the object that it came with, whoever will dispose of that.
    private void LetWholeGo(IOperation part, PathState state)
    {
        var type = Values.Unwrapped(part).Type;
        if (!KnownTypes.Is(type, body.Known.BpfProgram) && !KnownTypes.Inherits(type, body.Known.BpfMap))
        {
            return;
        }

        foreach (var id in state.Items.Keys.Where(i => body[i].IsObject).ToList())
        {
            Escape(id, state);
        }
    }

    private void NoteMeeting(int value, Item item)
    {
        if (item.IsMixed)
        {
            body.SpentAfterMeeting.Add(value);
        }
    }
}
