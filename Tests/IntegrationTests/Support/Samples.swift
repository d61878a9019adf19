import Events

/// Events as texts.
enum Samples {
  static func event(
    _ id: String, severity: Int = 3, summary: String = "", _ more: KeyValuePairs<String, JSON?> = [:]
  ) -> String {
    let own = JSON.object(of: [
      "Identifier": .string(id), "Severity": .int(Int64(severity)), "Summary": .string(summary),
    ]).members!
    return JSON.object(own + JSON.object(of: more).members!).text
  }
}
