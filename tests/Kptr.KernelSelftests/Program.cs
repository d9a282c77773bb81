using Kptr.KernelSelftests;
using Kptr.KernelSelftests.Enact;

// Judging is what most callers want: options without a mode mean it.
if (args is [['-', ..], ..])
{
    args = ["judge", .. args];
}

if (args.Length == 0 || Options.Parse(args.AsSpan(1)) is not { } options)
{
    Console.Error.WriteLine(Options.Usage);
    return 2;
}

if (args[0] is not ("generate" or "btf-cells" or "lives") && options["objects"] is null)
{
    return Options.Fail("--objects is missing");
}

return args[0] switch
{
    "open" => OpenReport.Run(options),
    "btf" when options["kernel-btf"] is not null => BtfReport.Run(options),
    "link" when options["kernel-btf"] is not null => LinkReport.Run(options),
    "load" when options["kernel-btf"] is not null => LoadReport.Run(options),
    "judge" when options["kernel-btf"] is not null => JudgeReport.Run(options),
    "unprivileged" when options["kernel-btf"] is not null => UnprivilegedReport.Run(options),
    "speed" when options["speed"] is not null && options["kernel-btf"] is not null => SpeedReport.Run(options),
    "run" when options["kernel-btf"] is not null => RunReport.Run(options),
    "retval" when options["kernel-btf"] is not null => RetvalReport.Run(options),
    "enact" when options["kernel-btf"] is not null => EnactReport.Run(options),
    "same" when options["kernel-btf"] is not null => SameReport.Run(options),
    "generate" when options["kernel-btf"] is not null => OwnershipReport.Run(options),
    "generate" => GenerateReport.Run(options),
    "lives" when options["kernel-btf"] is not null => LivesReport.Run(options),
    "btf-cells" when options["to"] is not null => BtfCells.Run(options),
    "mutate-btf" when options["to"] is not null => BtfMutator.Run(options),
    "mutate" when options["to"] is not null => Mutator.Run(options),
    _ => Options.Fail($"unknown mode '{args[0]}'"),
};
