extension History {
  /// A part of this history that fails, too: no step can be left out, and no part of a view, without its
  /// failing no more.
  func shrunk(_ fails: (History) -> Bool) -> History {
    var smallest = self
    while true {
      let before = smallest.size
      smallest.dropSteps(fails)
      smallest.simplifyViews(fails)
      if smallest.size == before { return smallest }
    }
  }

  private var size: Int {
    steps.reduce(steps.count) { size, step in
      guard case .begin(_, let question) = step else { return size }
      return size + question.ours.count + question.definitions.joined().count
    }
  }

  /// Runs of steps, from half of them down to single ones (Zeller's ddmin).
  private mutating func dropSteps(_ fails: (History) -> Bool) {
    var length = steps.count / 2
    while length > 0 {
      var at = 0
      while at < steps.count {
        var shorter = self
        shorter.steps.removeSubrange(at..<min(at + length, steps.count))
        if fails(shorter) { self = shorter } else { at += length }
      }
      length /= 2
    }
  }

  private mutating func simplifyViews(_ fails: (History) -> Bool) {
    for at in steps.indices {
      while case .begin(let stream, let question) = steps[at] {
        let simpler = question.simpler.map { question in
          var history = self
          history.steps[at] = .begin(stream, question)
          return history
        }
        guard let failing = simpler.first(where: fails) else { break }
        self = failing
      }
    }
  }
}
