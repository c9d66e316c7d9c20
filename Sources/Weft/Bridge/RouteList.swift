internal import CWeft

/// Routes and their paths in the core's form, for any number of them.
struct RouteList {
    private let routes: [Route]
    /// All texts one after the other, each closed by a NUL.
    private var characters: [CChar] = []
    private var paths: [Int] = []
    private var origins: [(start: Int, length: Int)] = []
    private var originRanges: [Range<Int>] = []

    init(_ entries: [(path: String, route: Route)]) {
        routes = entries.map(\.route)
        for entry in entries {
            paths.append(add(entry.path).start)
            let first = origins.count
            for origin in entry.route.listedOrigins { origins.append(add(origin)) }
            originRanges.append(first..<origins.count)
        }
    }

    private mutating func add(_ text: String) -> (start: Int, length: Int) {
        let start = characters.count
        characters.append(contentsOf: text.utf8CString)
        return (start, characters.count - start - 1)
    }

    /// Lends the routes to the core, which takes a retain of each one if `attach` works.
    func lend(_ attach: (UnsafeBufferPointer<weft_path_route>) -> weft_status) -> weft_status {
        let retained = routes.map { Unmanaged.passRetained($0) }
        let status = characters.withUnsafeBufferPointer { characters in
            let text = characters.baseAddress
            let views = origins.map { weft_string(bytes: text! + $0.start, length: $0.length) }
            return views.withUnsafeBufferPointer { views in
                coreRoutes(retained, views).withUnsafeBufferPointer { core in
                    let entries = paths.indices.map {
                        weft_path_route(path: text! + paths[$0], route: core.baseAddress! + $0)
                    }
                    return entries.withUnsafeBufferPointer(attach)
                }
            }
        }
        if status != WEFT_OK { for route in retained { route.release() } }
        return status
    }

    private func coreRoutes(
        _ retained: [Unmanaged<Route>], _ views: UnsafeBufferPointer<weft_string>
    ) -> [weft_route] {
        routes.indices.map { index in
            var route = routes[index].coreCallbacks
            route.context = retained[index].toOpaque()
            if let first = views.baseAddress { route.origin_list = first + originRanges[index].lowerBound }
            route.origin_count = originRanges[index].count
            return route
        }
    }
}

/// A path that a service may live at.
enum PathPattern {
    /// What the path has in common with those that are the same path with other names or escapes.
    ///
    /// - Throws: ``WebSocketError`` `.invalidConfiguration` with the reason.
    static func shape(_ path: String) throws(WebSocketError) -> String {
        let hasNull = path.utf8.contains(0)
        let problem = weft_path_pattern_problem(path).map { String(cString: $0) }
        if let sentence = hasNull ? "the path holds a space or a control character" : problem {
            throw WebSocketError(.invalidConfiguration, "path \"\(path)\": \(sentence)")
        }
        var shape = [CChar](repeating: 0, count: path.utf8.count * 3 + 1)
        try WebSocketError.check(weft_path_pattern_shape(path, &shape, shape.count))
        return String(decoding: shape.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
