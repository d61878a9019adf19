/// The paths by which a transaction ends, the same for everyone who holds a seat.
extension TransactionalProducer {
  /// Commits. While the outcome is not known, it is asked for again; when it stays unknown, only a new
  /// producer can tell (`.recreate`), by reading back what became of it.
  public func commit(attemptsMax: Int) throws(BusError) {
    for attempt in 1... {
      do throws(BusError) {
        return try commit()
      } catch  where error.remedy == .retry {
        if attempt >= attemptsMax { throw BusError(.recreate, code: error.code, error.message) }
      }
    }
  }

  /// Aborts what is open; where even that is not certain, the producer has to be made anew.
  public func abortOrGiveUp() throws(BusError) {
    do throws(BusError) {
      try abort()
    } catch  where error.remedy == .retry || error.remedy == .abort {
      throw BusError(.recreate, code: error.code, error.message)
    }
  }
}
