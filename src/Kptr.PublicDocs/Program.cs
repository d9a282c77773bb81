using System.Xml.Linq;
using Kptr.PublicDocs;

// Usage: Kptr.PublicDocs ASSEMBLY XML. Takes out of the compiler's documentation file what users
// of the assembly cannot see.
var surface = PublicSurface.Read(args[0]);
var docs = XDocument.Load(args[1], LoadOptions.PreserveWhitespace);
foreach (var member in docs.Descendants("member").Where(m => !surface.Contains(m.Attribute("name")!.Value)).ToList())
{
    member.Remove();
}

docs.Save(args[1]);
