namespace Kptr.KernelSelftests.Enact;

/// <summary>What the user space of one selftest does, in our own C#.</summary>
/// <param name="Object">The object that it loads first; the name that it is counted under.</param>
/// <param name="Name">Which of the object's tests.</param>
/// <param name="Act">Does it; throws where something is not as the test's authors expect.</param>
internal sealed record EnactTest(string Object, string Name, Action<Scene> Act);

/// <summary>Something is not as the authors of a test expect.</summary>
internal sealed class UnexpectedException(string message) : Exception(message);
