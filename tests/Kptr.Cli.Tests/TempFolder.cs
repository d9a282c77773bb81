namespace Kptr.Cli.Tests;

/// <summary>A folder of its own for one test, gone after it.</summary>
internal sealed class TempFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kptr-test");

    public string Path => _folder.FullName;

    /// <summary>Writes a file, or only names one where there is no content.</summary>
    public string Write(string name, byte[]? content)
    {
        var path = System.IO.Path.Combine(_folder.FullName, name);
        if (content is not null)
        {
            File.WriteAllBytes(path, content);
        }

        return path;
    }

    /// <summary>A folder in it.</summary>
    public string Create(string name) => _folder.CreateSubdirectory(name).FullName;

    public void Dispose() => _folder.Delete(recursive: true);
}
