namespace Kptr.Testing.Tests;

/// <summary>
/// What a planted fault's report looks like: written to the folder that KPTR_SHOW_REPORTS names, for people.
/// </summary>
internal static class Reports
{
    internal static void Show(string name, ConformanceReport report)
    {
        if (Environment.GetEnvironmentVariable("KPTR_SHOW_REPORTS") is { } folder)
        {
            File.WriteAllText(Path.Combine(folder, $"{name}.txt"), report.ToString());
        }
    }
}
