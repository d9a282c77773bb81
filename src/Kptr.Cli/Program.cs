return Kptr.Cli.KptrCommand.Run(args);
