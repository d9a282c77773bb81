using System.Globalization;
using Kptr.Btf;
using Kptr.Diagnostics;
using static Kptr.Tests.Btf.BtfRecordSamples;

namespace Kptr.Tests.Btf;

/// <summary>The limits of special fields, each from both sides, under the rules of each kernel.</summary>
public class BtfRecordRuleTests
{
    [Theory]
    [InlineData("6.12", "struct task_struct __kptr *t[11];", 11)]
    [InlineData("6.12", "struct task_struct __kptr *a[3]; struct task_struct __kptr *b[8];", 11)]
    [InlineData("6.12", "struct { struct task_struct __kptr *t; int x; } s[11];", 11)]
    [InlineData("6.12", "struct { struct task_struct __kptr *t; struct task_struct __kptr *u; } s[5];", 10)]
    [InlineData("6.12", "struct bpf_timer t[1];", 1)]
    [InlineData("6.12", "struct { struct bpf_spin_lock l; } s[1];", 1)]
    [InlineData("6.12", "struct task_struct __kptr *t[3][0];", 0)]
    [InlineData("6.12", "struct task_struct __kptr *volatile t;", 1)]
    [InlineData("6.12", "const struct task_struct __kptr *t;", 1)]
    [InlineData("6.12", "struct bpf_res_spin_lock l;", 0)]
    [InlineData("6.12", "struct bpf_task_work w;", 0)]
    [InlineData("6.12", "struct bpf_list_node n; struct bpf_rb_node r;", 0)]
    [InlineData("6.12", "struct bpf_spin_lock l; struct bpf_list_head h __contains(n, l); "
        + "struct bpf_list_head i __contains(n, l);", 3)]
    [InlineData("6.2", "struct task_struct __kptr *t[2];", 0)]
    [InlineData("6.2", "struct { struct task_struct __kptr *t; } s;", 0)]
    [InlineData("6.2", "struct bpf_refcount r; struct bpf_rb_root root;", 0)]
    [InlineData("7.2", "struct bpf_res_spin_lock l; struct bpf_task_work w; struct bpf_timer t;", 3)]
    [InlineData("7.2", "struct other __uptr *u; struct task_struct __percpu_kptr *p;", 2)]
    public void MapValue_WithinTheLimits_HasItsFields(string kernel, string members, int count)
    {
        var result = Read(kernel, $"struct n {{ struct bpf_list_node l; }}; struct v {{ {members} }};");
        result.Error.Should().Be(Errno.None, result.Message);
        result.IsOk.Should().BeTrue();
        result.Record.Fields.Should().HaveCount(count);
    }

    [Theory]
    [InlineData("6.12", "struct task_struct __kptr *a[3]; struct task_struct __kptr *b[9];",
        Errno.E2BIG, "more than 11")]
    [InlineData("6.12", "struct task_struct __kptr *a[11]; struct task_struct __kptr *b;", Errno.E2BIG, "'b'")]
    [InlineData("6.12", "struct { struct task_struct __kptr *t; struct task_struct __kptr *u; } s[6];",
        Errno.E2BIG, "'s'")]
    [InlineData("6.12", "struct { struct bpf_spin_lock l; } s[2];", Errno.EINVAL, "array of SpinLock")]
    [InlineData("6.12", "struct bpf_refcount a[3];", Errno.EINVAL, "array of Refcount")]
    [InlineData("6.12", "struct { struct task_struct __kptr *k; struct bpf_timer l; } s[2];",
        Errno.EINVAL, "array of Timer")]
    [InlineData("6.12", "struct { struct { struct bpf_timer t; } a; struct bpf_timer t; } s;", Errno.E2BIG,
        "'s.t' is the second bpf_timer")]
    [InlineData("6.12", "struct { struct task_struct __rcu *p; } deep;", Errno.EINVAL,
        "'deep.p' has the unknown type tag 'rcu'")]
    [InlineData("6.12", "struct task_struct __uptr *u;", Errno.EINVAL, "unknown type tag 'uptr'")]
    [InlineData("6.12", "struct task_struct __kptr __rcu *p;", Errno.EINVAL, "more than one type tag")]
    [InlineData("6.12", "enum e __kptr *p;", Errno.EINVAL, "complete struct")]
    [InlineData("6.2", "struct other __kptr *p;", Errno.ENOENT, "the kernel has no struct other")]
    [InlineData("6.2", "struct task_struct __percpu_kptr *p;", Errno.EINVAL, "unknown type tag")]
    [InlineData("6.2",
        "struct task_struct __kptr *a; struct task_struct __kptr *b; struct task_struct __kptr *c; "
            + "struct task_struct __kptr *d; struct task_struct __kptr *e; struct task_struct __kptr *f; "
            + "struct task_struct __kptr *g; struct task_struct __kptr *h; struct task_struct __kptr *i; "
            + "struct task_struct __kptr *j; struct task_struct __kptr *k;",
        Errno.E2BIG, "more than 10")]
    [InlineData("7.2", "struct bpf_spin_lock a; struct bpf_res_spin_lock b;", Errno.EINVAL, "two kinds of locks")]
    [InlineData("7.2", "struct empty __uptr *u;", Errno.EINVAL, "empty struct")]
    [InlineData("7.2", "struct big __uptr *u;", Errno.E2BIG, "more than a page")]
    public void MapValue_BeyondTheLimits_SaysWhich(string kernel, string members, Errno expected, string words)
    {
        var result = Read(kernel,
            $"enum e {{ A }}; struct empty {{ }}; struct page {{ char c[4096]; }}; struct big {{ char c[4097]; }}; "
                + $"struct v {{ {members} }};");
        result.Error.Should().Be(expected, result.Message);
        result.IsOk.Should().BeFalse();
        result.Message.Should().Contain(words);
        BtfRecordReader.RefusesMap(result).Should().BeFalse();
    }

    [Fact]
    public void Uptr_ToAWholePage_IsTheProgramsOwn()
    {
        var field = Read(
            "7.2", "struct page { char c[4096]; }; struct v { int x; struct page __uptr *u; };").Record.Fields.Single();
        field.Should().Match<BtfField>(f => f.Kind == BtfFieldKind.Uptr && f.OffsetBytes == 8 && f.SizeBytes == 8
            && f.IsLocalPointee && f.Inner == null);
        field.Pointee.SizeBytes.Should().Be(4096);
    }

    [Theory]
    [InlineData(31, Errno.None)]
    [InlineData(32, Errno.E2BIG)]
    public void Structs_InStructs_AreSearchedToADepth(int depth, Errno expected)
    {
        var text = "struct s0 { struct task_struct __kptr *t; };";
        for (var i = 1; i < depth; i++)
        {
            text += string.Create(CultureInfo.InvariantCulture, $"struct s{i} {{ long pad; struct s{i - 1} s; }};");
        }

        var result = Read("6.12", text + $"struct v {{ struct s{depth - 1} s; }};");
        result.Error.Should().Be(expected, result.Message);
        result.Message.Should().EndWith(expected == Errno.None ? "" : "is nested too deep");
        result.Record.Fields.Select(f => f.OffsetBytes).Should().Equal(expected == Errno.None ? [8 * (depth - 1)] : []);
    }

    [Theory]
    [InlineData(31, Errno.None)]
    [InlineData(32, Errno.None)]
    [InlineData(33, Errno.E2BIG)]
    public void Arrays_OfArrays_AreSearchedToADepth(int dimensions, Errno expected)
    {
        var b = new BtfBuilder("t");
        var type = b.AddPtr(
            b.AddTypeTag("kptr", b.AddStruct("task_struct", 4, [new("pid", b.AddInt("int", 4), 0, 0)])));
        for (var i = 0; i < dimensions; i++)
        {
            type = b.AddArray(type, 1, 1);
        }

        var v = b.AddStruct("v", 8, [new("a", type, 0, 0)]);
        var result = Reader(b.Build(), "6.12").ReadMapValue(v, 8);
        result.Error.Should().Be(expected);
        result.Message.Should().Be(expected == Errno.None ? "" : "'a' has too many dimensions");
    }

    [Theory]
    [InlineData(8, Errno.None)]
    [InlineData(7, Errno.EFAULT)]
    public void Value_SmallerThanItsType_HasAFieldPastItsEnd(int valueBytes, Errno expected)
    {
        var btf = CDeclParser.Parse(Prelude + "struct v { struct task_struct __kptr *t; };", "t");
        var result = Reader(btf, "6.12").ReadMapValue(btf.FindId("v", BtfKind.Struct), valueBytes);
        result.Error.Should().Be(expected);
        result.Message.Should().Be(expected == Errno.None ? "" : "'t' reaches past the end of the value");
        BtfRecordReader.RefusesMap(result).Should().Be(expected == Errno.EFAULT);
    }

    [Fact]
    public void Kptr_ToATypeOfTheProgram_HasThatTypesRecord_AndNoOtherPointerHas()
    {
        // The id that the kernel's type has in its own BTF is that of a struct with a record in the program's.
        var records = string.Concat(
            Enumerable.Range(0, 20).Select(i => $"struct r{i} {{ struct bpf_spin_lock l; }};"));
        var btf = CDeclParser.Parse(
            "struct bpf_spin_lock { u32 val; };" + records
                + "struct task_struct { int pid; }; struct v { struct r1 __kptr *a; struct r1 __percpu_kptr *b; "
                + "struct r1 __kptr_untrusted *c; struct r1 __uptr *d; struct task_struct __kptr *e; };",
            "t");
        var kernel = new KernelTypes(CDeclParser.Parse(
            string.Concat(Enumerable.Range(0, 10).Select(i => $"struct pad{i} {{ int x; }};"))
                + "struct task_struct { int pid; };",
            "vmlinux"));
        var reader = new BtfRecordReader(btf, kernel, _ => "bpf_task_release", BtfRecordRules.Linux7_2);
        var result = reader.ReadMapValue(btf.FindId("v", BtfKind.Struct), 40);

        result.Error.Should().Be(Errno.None, result.Message);
        reader.StructRecord(result.Record.Fields[4].Pointee.Id).Should().NotBeNull();
        var own = reader.StructRecord(btf.FindId("r1", BtfKind.Struct));
        result.Record.Fields.Select(f => f.Inner).Should().Equal(own, own, null, null, null);
    }

    [Fact]
    public void Members_OfAnAnonymousStruct_HaveNoNameBeforeTheirs() =>
        Read("6.12",
            "struct v { struct { struct task_struct __kptr *t; }; "
                + "struct { struct { int x; struct task_struct __kptr *u; } in; } out; };")
            .Record.Fields.Select(f => f.Name).Should().Equal("t", "out.in.u");

    [Fact]
    public void Kptr_ToAKernelStructThatNoTypeDescribes_IsRefused()
    {
        var kernel = new KernelTypes(Kernel.Vmlinux) { HasUndescribedStruct = n => n == "dark" };
        BtfRecordResult Value(string tag)
        {
            var btf = CDeclParser.Parse($"struct dark {{ int x; }}; struct v {{ struct dark {tag} *d; }};", "t");
            return new BtfRecordReader(btf, kernel, _ => null).ReadMapValue(btf.FindId("v", BtfKind.Struct), 8);
        }

        var (referenced, untrusted) = (Value("__kptr"), Value("__kptr_untrusted"));
        referenced.Error.Should().Be(Errno.ENOENT);
        referenced.Message.Should().Be(
            "'d': struct dark is the kernel's, has no registered destructor and cannot be a __kptr");
        untrusted.Error.Should().Be(Errno.EFAULT);
        untrusted.Message.Should().Be("'d': struct dark is the kernel's, whose types in use do not describe it");
    }

    /// <summary>Linux 6.1 goes over the members once for locks, once for timers and once for kptrs.</summary>
    [Theory]
    [InlineData("struct task_struct __kptr *t; struct bpf_timer w; struct bpf_spin_lock l;", "t w l")]
    [InlineData("struct bpf_spin_lock l; struct task_struct __rcu *t;", "l")]
    [InlineData("struct bpf_spin_lock l, m; struct bpf_timer t;", "t")]
    [InlineData("char c; struct bpf_timer t; struct task_struct __kptr *k;", "t k")]
    [InlineData("struct bpf_spin_lock l; int odd; struct bpf_timer t;", "l t")]
    [InlineData("int odd[2]; struct bpf_spin_lock l; struct task_struct __kptr *t;", "l t")]
    [InlineData("int a, odd; struct bpf_spin_lock l; int even; struct task_struct __kptr *t;", "l")]
    [InlineData("struct bpf_list_head h; struct bpf_spin_lock l;", "l")]
    [InlineData("struct task_struct __kptr *t[2];", "")]
    [InlineData("int x;", "")]
    public void Kinds_OfTheOldestKernel_AreLookedForOneByOne(string members, string names)
    {
        var result = Read("6.1", $"struct v {{ {members} }};");
        result.Error.Should().Be(Errno.None, result.Message);
        string.Join(' ', result.Record.Fields.Select(f => f.Name)).Should().Be(names);
    }

    [Theory]
    [InlineData("int a, odd; struct task_struct __kptr *t;", Errno.EINVAL, "'odd' is not aligned")]
    [InlineData("int a; struct other odd; struct task_struct __kptr *t;", Errno.EINVAL, "'odd' is not aligned")]
    [InlineData("struct task_struct __rcu *t;", Errno.EINVAL, "unknown type tag")]
    [InlineData("struct other __kptr *t;", Errno.ENOENT, "the kernel has no struct other")]
    [InlineData("struct bpf_spin_lock l; long pad; struct bpf_spin_lock m;", Errno.E2BIG,
        "'m' is the second bpf_spin_lock")]
    public void Fault_OfTheOldestKernel_IsToldWhereNothingIsFound(string members, Errno expected, string words)
    {
        var result = Read("6.1", $"struct v {{ {members} }};");
        result.Error.Should().Be(expected);
        result.Message.Should().Contain(words);
    }

    /// <summary>For kptrs that kernel looks at every variable of a kptr's size.</summary>
    [Theory]
    [InlineData(4, 4, Errno.None)]
    [InlineData(8, 8, Errno.None)]
    [InlineData(8, 4, Errno.EINVAL)]
    [InlineData(12, 4, Errno.None)]
    public void Variables_OfTheOldestKernel_AreMisplacedWhereTheirSizeIsAKptrs(int size, int at, Errno expected)
    {
        var b = new BtfBuilder("t");
        var array = b.AddArray(b.AddInt("int", 4), 1, size / 4);
        var section = b.AddDataSec(".data", 16, [new(b.AddVar("x", array), at, size)]);
        Reader(b.Build(), "6.1").ReadMapValue(section, 16).Error.Should().Be(expected);
    }

    [Fact]
    public void Reader_WithoutWhatItReads_SaysWhichIsMissing()
    {
        var btf = CDeclParser.Parse("int x;", "t");
        Func<string, string?> none = _ => null;
        (string Name, Action Make)[] calls =
        [
            ("progBtf", () => _ = new BtfRecordReader(null!, Kernel, none)),
            ("kernel", () => _ = new BtfRecordReader(btf, null!, none)),
            ("dtorOf", () => _ = new BtfRecordReader(btf, Kernel, null!)),
            ("rules", () => _ = new BtfRecordReader(btf, Kernel, none, new() { Kinds = 0, Tags = null! })),
        ];
        foreach (var (name, make) in calls)
        {
            make.Should().Throw<ArgumentNullException>().WithParameterName(name);
        }
    }

    [Fact]
    public void Record_AnswersByByteAndKind()
    {
        var (timer, kptr) = (new BtfField(BtfFieldKind.Timer, "t", 8, 16),
            new BtfField(BtfFieldKind.KptrRef, "k", 24, 8));
        var record = new BtfRecord([timer, kptr]);

        record.Kinds.Should().Be(BtfFieldKind.Timer | BtfFieldKind.KptrRef);
        record.Has(BtfFieldKind.Kptr).Should().BeTrue();
        record.Has(BtfFieldKind.SpinLock | BtfFieldKind.KptrUnref).Should().BeFalse();
        Enumerable.Range(0, 40).Select(i => record.FindAt(i)?.Name ?? "-").Should().Equal(
            Enumerable.Repeat("-", 8).Concat(Enumerable.Repeat("t", 16)).Concat(Enumerable.Repeat("k", 8)).Concat(
                Enumerable.Repeat("-", 8)));
        record.FindAt(8, BtfFieldKind.Kptr).Should().BeNull();
        record.FindAt(31, BtfFieldKind.Kptr).Should().BeSameAs(kptr);
        BtfRecord.Empty.Kinds.Should().Be(BtfFieldKind.None);
        BtfRecord.Empty.FindAt(0).Should().BeNull();
        Enumerable.Range(0, 40).Select(i => record.Overlaps(i, 4)).Should().Equal(
            Enumerable.Range(0, 40).Select(i => i is > 4 and < 32), "one of the bytes is enough");
        record.Overlaps(int.MaxValue - 1, int.MaxValue).Should().BeFalse("ends are not wrapped");
        record.Overlaps(0, int.MaxValue).Should().BeTrue();
    }

    [Fact]
    public void Record_WithoutAList_IsAnEmptyOne()
    {
        foreach (var record in new[] { new BtfRecord(default), BtfRecord.Empty with { Fields = default } })
        {
            (record.Fields.IsDefault, record.Fields.Length, record.Kinds).Should().Be((false, 0, BtfFieldKind.None));
            record.ToString().Should().Be("no special fields");
        }

        var lock4 = new BtfField(BtfFieldKind.SpinLock, "l", 4, 4);
        var changed = BtfRecord.Empty with { Fields = [lock4, new(BtfFieldKind.Timer, "t", 8, 16)] };
        changed.Kinds.Should().Be(BtfFieldKind.SpinLock | BtfFieldKind.Timer);
        lock4.ToString().Should().Be("SpinLock l at 4, 4 bytes");
        changed.ToString().Should().Be("2 special fields: SpinLock l, Timer t");
        BtfRecordRules.Linux6_1.ToString().Should().Be(
            "rules for special fields: SpinLock, Timer, KptrUnref, KptrRef, at most 8");
        Reader(CDeclParser.Parse(Prelude + "struct w { struct bpf_spin_lock l; };", "t"), "6.12").ToString()
            .Should().Match("special fields of * (1 structs)");
    }

    [Theory]
    [InlineData(BtfFieldKind.SpinLock, 4, 4)]
    [InlineData(BtfFieldKind.ResSpinLock, 4, 4)]
    [InlineData(BtfFieldKind.Refcount, 4, 4)]
    [InlineData(BtfFieldKind.KptrUnref, 8, 8)]
    [InlineData(BtfFieldKind.KptrRef, 8, 8)]
    [InlineData(BtfFieldKind.KptrPercpu, 8, 8)]
    [InlineData(BtfFieldKind.Uptr, 8, 8)]
    [InlineData(BtfFieldKind.TaskWork, 8, 8)]
    [InlineData(BtfFieldKind.Timer, 16, 8)]
    [InlineData(BtfFieldKind.Workqueue, 16, 8)]
    [InlineData(BtfFieldKind.ListHead, 16, 8)]
    [InlineData(BtfFieldKind.RbRoot, 16, 8)]
    [InlineData(BtfFieldKind.ListNode, 24, 8)]
    [InlineData(BtfFieldKind.RbNode, 32, 8)]
    public void Kind_HasItsSizeAndAlignment(BtfFieldKind kind, int size, int align)
    {
        BtfRecordRules.Linux6_12.SizeOf(kind).Should().Be(size);
        BtfRecordRules.Linux7_2.AlignOf(kind).Should().Be(align);
        BtfRecordRules.Linux6_2.SizeOf(BtfFieldKind.ListNode).Should().Be(16);
    }

    [Fact]
    public void Variables_OfAnotherSizeThanTheirType_AreOrdinary()
    {
        var btf = CDeclParser.Parse(
            Prelude + "struct bpf_spin_lock lock SEC(\".data\"); struct task_struct __kptr *t[2] SEC(\".data\");", "t");
        var section = btf.FindId(".data", BtfKind.DataSec);
        Reader(btf, "6.12").ReadMapValue(section, 64).Record.Fields.Select(f => (f.Name, f.OffsetBytes)).Should().Equal(
            ("lock", 0), ("t", 8), ("t", 16));

        var b = new BtfBuilder("t");
        var spin = b.AddStruct("bpf_spin_lock", 4, [new("val", b.AddInt("u32", 4), 0, 0)]);
        var odd = b.AddDataSec(".data", 16, [new(b.AddVar("lock", spin, 1), 0, 5)]);
        Reader(b.Build(), "6.12").ReadMapValue(odd, 16).Record.Fields.Should().BeEmpty();
    }
}
