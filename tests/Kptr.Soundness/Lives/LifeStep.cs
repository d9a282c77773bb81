using System.Globalization;
using Kptr.Maps;

namespace Kptr.Soundness.Lives;

/// <summary>What a program does to a value; the numbers of <c>programs/lives.bpf.c</c>.</summary>
internal enum LifeOp
{
    Put,
    Take,
    Look,
    Read,
    Write,
    Update,
    Delete,
    Each,
    Late,
    Self,
    Push,
    PushBack,
    Pop,
    PopBack,
    Add,
    First,
    Both,
    Move,
    Stash,
    Unstash,
    Nest,
    Unnest,
    Init,
    Call,
    Start,
    Cancel,
    WqInit,
    WqCall,
    WqStart,
    CellNew,
    CellDrop,
    CellRead,
    CellWrite,
    Submit,
    Discard,
    DynSubmit,
    DynDiscard,
    Output,
    Query,
    Drain,
}

/// <summary>One line of a life: a letter and its words, as <c>cells/lives.c</c> reads them.</summary>
/// <param name="Kind"><c>#</c> a map begins to live, <c>.</c> it ends; <c>P</c> a program acts; of user space
/// <c>U</c> update, <c>G</c> look up, <c>T</c> look up and delete, <c>D</c> delete, <c>W</c> walk the keys, batches
/// that <c>L</c> look up, <c>M</c> look up and delete, <c>S</c> update, <c>X</c> delete, and <c>F</c> freeze;
/// <c>C</c> counts references; <c>B</c> goes to another CPU; an owner of a storage <c>O</c> begins, <c>K</c> ends,
/// <c>Z</c> is gone; <c>N</c> puts a new inner map into an outer one, <c>A</c> the same once more, <c>Q</c> lets go of
/// it; <c>V</c> reads a ring, <c>R</c> posts to one.</param>
/// <param name="Words">What follows it.</param>
internal sealed record LifeStep(char Kind, params IReadOnlyList<string> Words)
{
    internal static LifeStep Parse(string line) =>
        new(line[0], line[1..].Split(' ', StringSplitOptions.RemoveEmptyEntries));

    internal static LifeStep Of(char kind, params ReadOnlySpan<object> words) =>
        new(kind, [.. words.ToArray().Select(w => Convert.ToString(w, CultureInfo.InvariantCulture)!)]);

    internal ulong Number(int word) => ulong.Parse(Words[word], CultureInfo.InvariantCulture);

    internal MapUpdateFlags Flags(int word) => (MapUpdateFlags)Number(word);

    /// <summary>Bytes; where the line ends before them, none.</summary>
    internal byte[] Bytes(int word) => word < Words.Count ? Convert.FromHexString(Words[word]) : [];

    /// <summary>An answer without what only the seed of a hash decides: the order of its elements.</summary>
    internal string Normal(string answer, bool isArray)
    {
        var words = answer.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (isArray || words.Length < 3)
        {
            return string.Join(' ', words);
        }

        IEnumerable<string> sorted = Kind switch
        {
            'W' => [.. words[..^1].Order(StringComparer.Ordinal), words[^1]],
            'L' or 'M' => [.. words[..2], .. words[2..].Chunk(2).OrderBy(e => e[0], StringComparer.Ordinal)
                .SelectMany(e => e)],
            _ => words,
        };
        return string.Join(' ', sorted);
    }

    /// <summary>The line.</summary>
    public override string ToString() => Words.Count == 0 ? $"{Kind}" : $"{Kind} {string.Join(' ', Words)}";
}
