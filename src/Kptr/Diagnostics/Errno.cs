namespace Kptr.Diagnostics;

/// <summary>Linux error numbers as kernel functions return them: zero or a negative value.</summary>
/// <remarks>
/// Kernel: <c>include/uapi/asm-generic/errno-base.h</c>, <c>errno.h</c> and <c>include/linux/errno.h</c>.
/// </remarks>
public enum Errno
{
    /// <summary>Success.</summary>
    None = 0,

    /// <summary><c>-EPERM</c></summary>
    EPERM = -1,

    /// <summary><c>-ENOENT</c></summary>
    ENOENT = -2,

    /// <summary><c>-ESRCH</c></summary>
    ESRCH = -3,

    /// <summary><c>-E2BIG</c></summary>
    E2BIG = -7,

    /// <summary><c>-EBADF</c></summary>
    EBADF = -9,

    /// <summary><c>-EAGAIN</c></summary>
    EAGAIN = -11,

    /// <summary><c>-ENOMEM</c></summary>
    ENOMEM = -12,

    /// <summary><c>-EACCES</c></summary>
    EACCES = -13,

    /// <summary><c>-EFAULT</c></summary>
    EFAULT = -14,

    /// <summary><c>-EBUSY</c></summary>
    EBUSY = -16,

    /// <summary><c>-EEXIST</c></summary>
    EEXIST = -17,

    /// <summary><c>-ENODEV</c></summary>
    ENODEV = -19,

    /// <summary><c>-EINVAL</c></summary>
    EINVAL = -22,

    /// <summary><c>-ENOSPC</c></summary>
    ENOSPC = -28,

    /// <summary><c>-EDOM</c></summary>
    EDOM = -33,

    /// <summary><c>-ERANGE</c></summary>
    ERANGE = -34,

    /// <summary><c>-EDEADLK</c></summary>
    EDEADLK = -35,

    /// <summary><c>-ENAMETOOLONG</c></summary>
    ENAMETOOLONG = -36,

    /// <summary><c>-ELOOP</c></summary>
    ELOOP = -40,

    /// <summary><c>-ENONET</c></summary>
    ENONET = -64,

    /// <summary><c>-EPROTO</c></summary>
    EPROTO = -71,

    /// <summary><c>-EOVERFLOW</c></summary>
    EOVERFLOW = -75,

    /// <summary><c>-EOPNOTSUPP</c></summary>
    EOPNOTSUPP = -95,

    /// <summary><c>-EAFNOSUPPORT</c></summary>
    EAFNOSUPPORT = -97,

    /// <summary><c>-ESTALE</c></summary>
    ESTALE = -116,

    /// <summary><c>-ENOTSUPP</c>, the kernel's own number, unknown to user space's headers.</summary>
    ENOTSUPP = -524,
}
