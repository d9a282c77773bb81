using Kptr.ApiFuzz;

var options = FuzzOptions.Parse(args);
if (options is null)
{
    Console.Error.WriteLine(FuzzOptions.Usage);
    return 2;
}

if (options.ChildJournal is not { } path)
{
    return new Supervisor(options).Go();
}

using var journal = new Journal(path);
return new FuzzRun(options, journal).Go();
