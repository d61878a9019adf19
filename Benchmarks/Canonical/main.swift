// How long a filter's canonical form takes (docs/benchmarks.md). Prints one line a shape: the median and the worst
// of many random filters, in microseconds of processor time, and of reading a whole view with such a filter.
//   CanonicalBenchmark [FILTERS [SEED]]
import Glibc
import Query

let arguments = CommandLine.arguments.dropFirst().map { Int($0) ?? 0 }
let filters = max(1, arguments.first ?? 200)
var shapes = Shapes(seed: UInt64(max(0, arguments.dropFirst().first ?? 1)))

/// Of this thread's processor, the least of three: so neighbours on the machine, and caches that they emptied, do not
/// count.
func microseconds(_ body: () -> Void) -> Double {
  func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
  }
  func once() -> Double {
    let start = now()
    body()
    return now() - start
  }
  return min(once(), once(), once())
}

func text(_ times: [Double]) -> String {
  let sorted = times.sorted()
  return "\(Int(sorted[sorted.count / 2])) | \(Int(sorted[sorted.count - 1]))"
}

print("| comparisons | canonical form, us: median | worst | whole view, us: median | worst |")
print("| --- | --- | --- | --- | --- |")
for shape in Shapes.all {
  var forms: [Double] = []
  var views: [Double] = []
  for _ in 0..<filters {
    let sql = shape.make(&shapes)
    guard let filter = try? parseFilter(sql, on: alerts) else { fatalError("the bench wrote \(sql)") }
    forms.append(microseconds { _ = canonical(filter, on: alerts) })
    views.append(microseconds { _ = try? parseView("SELECT * FROM alerts WHERE " + sql, in: Tables()) })
  }
  print("| \(shape.name) | \(text(forms)) | \(text(views)) |")
}
