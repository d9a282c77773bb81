using Spectre.Console;

namespace Kptr.Cli.Output;

/// <summary>Text of one colour.</summary>
internal readonly record struct Ink(string Text, Style Style)
{
    public static implicit operator Ink(string text) => new(text, Style.Plain);

    public static Ink Good(string text) => new(text, new(Color.Green));

    public static Ink Bad(string text) => new(text, new(Color.Red, decoration: Decoration.Bold));

    public static Ink Doubtful(string text) => new(text, new(Color.Yellow, decoration: Decoration.Bold));

    public static Ink Note(string text) => new(text, new(Color.Teal, decoration: Decoration.Bold));

    public static Ink Strong(string text) => new(text, new(decoration: Decoration.Bold));

    public static Ink Quiet(string text) => new(text, new(decoration: Decoration.Dim));
}
