import Configuration

/// A disk of a few files.
func disk(_ files: [String: String]) -> FileReader {
  { path, bytesMax throws(Diagnostic) in
    guard let text = files[path] else { throw Diagnostic(Place(source: path), "no such file") }
    guard text.utf8.count <= bytesMax else { throw Diagnostic(Place(source: path), "too large") }
    return Array(text.utf8)
  }
}

/// Loads `yaml` as the file `b.yaml`.
func load(_ yaml: String, _ environment: [String: String] = [:], files: [String: String] = [:])
  throws(ConfigurationErrors) -> LoadedConfiguration
{
  try Configuration.load(
    path: "b.yaml", environment: environment, readFile: disk(files.merging(["b.yaml": yaml]) { $1 }))
}

/// The faults of a text, one a line; empty when there is none.
func faults(_ yaml: String, _ environment: [String: String] = [:], files: [String: String] = [:]) -> String {
  do {
    _ = try load(yaml, environment, files: files)
    return ""
  } catch {
    return error.description
  }
}
