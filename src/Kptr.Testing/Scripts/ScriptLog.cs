namespace Kptr.Testing.Scripts;

/// <summary>Plays the steps of a script, and notes each with what came of it and the counts behind it.</summary>
/// <param name="watch">Is told of every step.</param>
/// <param name="noExceptions">The rule that a step breaks which throws.</param>
/// <param name="counts">What the objects count, in words.</param>
/// <param name="check">Looks at everything after a step; null for nothing.</param>
internal sealed class ScriptLog(
    Watch watch, ConformanceCheck noExceptions, Func<IEnumerable<string>> counts, Action? check = null)
{
    private readonly List<string> _lines = [];

    internal IReadOnlyList<string> Lines => _lines;

    /// <summary>Plays all of it, and what ends it.</summary>
    /// <returns>The first rule that is seen to be broken; null for none.</returns>
    internal BrokenRuleException? Play<TStep>(
        IReadOnlyList<TStep> script, Func<TStep, string> play,
        params ReadOnlySpan<(string Text, Func<string> Play)> ends)
    {
        try
        {
            for (var i = 0; i < script.Count; i++)
            {
                var step = script[i];
                Note($"{i + 1,3}  {step}", () => play(step));
            }

            foreach (var end in ends)
            {
                Note(end.Text, end.Play);
            }

            return null;
        }
        catch (BrokenRuleException e)
        {
            return e;
        }
    }

    private void Note(string text, Func<string> play)
    {
        _lines.Add(text);
        watch.Beat(_lines);
        try
        {
            var answer = play();
            _lines[^1] = answer.Length == 0 ? text : $"{text} -> {answer}";
            check?.Invoke();
        }
        catch (Exception e) when (e is not BrokenRuleException)
        {
            throw new BrokenRuleException(noExceptions, "no exception", $"{e.GetType().Name}: {e.Message}");
        }
        finally
        {
            var all = string.Join(", ", counts());
            _lines[^1] += all.Length == 0 ? "" : $"; {all}";
        }
    }
}
