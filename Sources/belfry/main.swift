import Configuration
import FrontDoor
import Glibc
import Service

/// The process's environment.
func environment() -> [String: String] {
  var result: [String: String] = [:]
  var next = environ
  while let entry = next.pointee {
    let text = String(cString: entry)
    if let equals = text.firstIndex(of: "=") {
      result[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    next += 1
  }
  return result
}

let program = Program(
  bodies: [
    "serve": serve, "demo": demo, "subscribe": subscribe, "unsubscribe": unsubscribe,
    "requests": showRequests, "streams": showStreams, "query": query, "explain": explain, "exec": execute,
    "flush": flush, "definitions": showDefinitions, "send": send, "history": showHistory,
    "dlq list": listDeadLetters, "dlq show": showDeadLetter, "dlq replay": replayDeadLetters,
  ],
  environment: environment(), readFile: readFile, check: { $0.faults },
  output: { Output.standard(json: $0) }, writeError: tell)
exit(program.run(Array(CommandLine.arguments.dropFirst())).rawValue)
