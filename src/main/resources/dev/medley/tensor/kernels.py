class Kernels(Module):
  __parameters__ = []
  __buffers__ = []
  def empty(self: __torch__.Kernels, like: Tensor, shape: List[int], dtype: int) -> Tensor:
    return torch.new_empty(like, shape, dtype=dtype)
  def decode_(self: __torch__.Kernels, into: Tensor, offset: int, raw: Tensor, stored: int) -> Tensor:
    values = torch.view_copy(raw, dtype=stored)
    part = torch.narrow(torch.view(into, [-1]), 0, offset, torch.size(values, 0))
    return torch.copy_(part, values)
  def to(self: __torch__.Kernels, x: Tensor, dtype: int) -> Tensor:
    return torch.to(x, dtype)
  def finite(self: __torch__.Kernels, x: Tensor) -> bool:
    if bool(torch.isfinite(torch.sum(x, dtype=6))):
      finite = True
    else:
      finite = bool(torch.all(torch.isfinite(x)))
    return finite
  def bytes(self: __torch__.Kernels, arrays: List[Tensor]) -> int:
    bytes = 0
    for _0 in range(torch.len(arrays)):
      bytes = torch.add(bytes, torch.mul(torch.numel(arrays[_0]), torch.element_size(arrays[_0])))
    return bytes
  def parts(self: __torch__.Kernels, x: Tensor, sizes: List[int]) -> List[Tensor]:
    parts = annotate(List[Tensor], [])
    start = 0
    at = 0
    while torch.lt(at, torch.len(sizes)):
      begin = torch.add(at, 1)
      at = torch.add(begin, sizes[at])
      shape = torch.slice(sizes, begin, at, 1)
      length = 1
      for _0 in range(torch.len(shape)):
        length = torch.mul(length, shape[_0])
      _1 = torch.append(parts, torch.clone(torch.view(torch.narrow(x, 0, start, length), shape)))
      start = torch.add(start, length)
    return parts
  def zero(self: __torch__.Kernels, x: Tensor) -> bool:
    return torch.__not__(bool(torch.any(x)))
  def equal(self: __torch__.Kernels, x: Tensor, y: Tensor) -> bool:
    return torch.equal(x, y)
  def near(self: __torch__.Kernels, x: Tensor, value: float, tolerance: float) -> bool:
    return bool(torch.all(torch.le(torch.abs(torch.sub(x, value)), tolerance)))
  def narrow(self: __torch__.Kernels, x: Tensor, start: int, length: int) -> Tensor:
    return torch.narrow(x, 0, start, length)
  def copy_(self: __torch__.Kernels, into: Tensor, x: Tensor) -> Tensor:
    return torch.copy_(into, x)
  def zero_(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.zero_(x)
  def add(self: __torch__.Kernels, x: Tensor, y: Tensor) -> Tensor:
    return torch.add(x, y)
  def scale(self: __torch__.Kernels, x: Tensor, scale: float) -> Tensor:
    return torch.mul(x, scale)
  def scale_rounded(self: __torch__.Kernels, x: Tensor, scale: float) -> Tensor:
    return torch.mul(x, torch.new_full(x, [], scale))
  def add_scaled(self: __torch__.Kernels, x: Tensor, y: Tensor, scale: float) -> Tensor:
    return torch.add(x, y, alpha=scale)
  def add_(self: __torch__.Kernels, x: Tensor, y: Tensor, scale: float) -> Tensor:
    return torch.add_(x, y, alpha=scale)
  def cat(self: __torch__.Kernels, parts: List[Tensor]) -> Tensor:
    return torch.cat(parts)
  def linear(self: __torch__.Kernels, x: Tensor, weight: Tensor) -> Tensor:
    return torch.linear(x, weight)
  def linear_bias(self: __torch__.Kernels, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.linear(x, weight, bias)
  def embedding(self: __torch__.Kernels, ids: Tensor, weight: Tensor) -> Tensor:
    return torch.embedding(weight, ids)
  def layer_norm(self: __torch__.Kernels, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return torch.layer_norm(x, [torch.size(weight, 0)], weight, bias, eps)
  def gelu_(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.gelu_(x)
  def gelu_tanh_(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.gelu_(x, approximate="tanh")
  def relu_(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.relu_(x)
  def relu(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.relu(x)
  def silu_(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.silu_(x)
  def tanh(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.tanh(x)
  def attention(self: __torch__.Kernels, q: Tensor, k: Tensor, v: Tensor, runs: List[int], heads: int) -> Tensor:
    width = torch.floordiv(torch.size(q, 1), heads)
    out = torch.new_empty(q, torch.size(q))
    start = 0
    for _0 in range(torch.floordiv(torch.len(runs), 2)):
      i = torch.mul(_0, 2)
      shape = [runs[i], runs[torch.add(i, 1)], heads, width]
      n = torch.mul(runs[i], runs[torch.add(i, 1)])
      qs = torch.transpose(torch.view(torch.narrow(q, 0, start, n), shape), 1, 2)
      ks = torch.transpose(torch.view(torch.narrow(k, 0, start, n), shape), 1, 2)
      vs = torch.transpose(torch.view(torch.narrow(v, 0, start, n), shape), 1, 2)
      mixed = torch.scaled_dot_product_attention(qs, ks, vs)
      _1 = torch.copy_(torch.view(torch.narrow(out, 0, start, n), shape), torch.transpose(mixed, 1, 2))
      start = torch.add(start, n)
    return out
  def rms_norm(self: __torch__.Kernels, x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = torch.to(x, 6)
    scale = torch.rsqrt(torch.add(torch.mean(torch.mul(wide, wide), [-1], True), eps))
    return torch.mul(torch.to(torch.mul(wide, scale), ops.prim.dtype(x)), weight)
  def rms_norm_offset(self: __torch__.Kernels, x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = torch.to(x, 6)
    scale = torch.rsqrt(torch.add(torch.mean(torch.mul(wide, wide), [-1], True), eps))
    gain = torch.add(torch.to(weight, 6), 1)
    return torch.to(torch.mul(torch.mul(wide, scale), gain), ops.prim.dtype(x))
  def angles(self: __torch__.Kernels, frequencies: Tensor, positions: Tensor, scale: float) -> Tensor:
    angle = torch.mul(frequencies, torch.unsqueeze(torch.to(positions, 6), 1))
    return torch.mul(torch.stack([torch.cos(angle), torch.sin(angle)]), scale)
  def rotary(self: __torch__.Kernels, x: Tensor, angles: Tensor, heads: int) -> Tensor:
    table = torch.unsqueeze(torch.to(angles, ops.prim.dtype(x)), 2)
    half = torch.size(angles, 2)
    split = torch.reshape(x, [torch.size(x, 0), heads, -1])
    rest = torch.sub(torch.size(split, 2), torch.mul(half, 2))
    c = torch.select(table, 0, 0)
    s = torch.select(table, 0, 1)
    a = torch.narrow(split, 2, 0, half)
    b = torch.narrow(split, 2, half, half)
    turned = [torch.sub(torch.mul(a, c), torch.mul(b, s)), torch.add(torch.mul(b, c), torch.mul(a, s)), torch.narrow(split, 2, torch.mul(half, 2), rest)]
    return torch.reshape(torch.cat(turned, 2), torch.size(x))
  def padded(self: __torch__.Kernels, x: Tensor, lengths: List[int]) -> Tensor:
    return torch.pad_sequence(torch.split_with_sizes(x, lengths), True)
  def tokens(self: __torch__.Kernels, x: Tensor, places: Tensor) -> Tensor:
    return torch.index_select(torch.reshape(x, [-1, torch.size(x, -1)]), 0, places)
  def likeliest(self: __torch__.Kernels, x: Tensor) -> Tensor:
    best, place = torch.max(x, 1)
    _0 = torch.isfinite(torch.sum(x, [1]))
    return torch.where(_0, place, -1)
  def log_probs(self: __torch__.Kernels, x: Tensor, ids: Tensor) -> Tensor:
    all = torch.log_softmax(torch.to(x, 6), -1)
    own = torch.squeeze(torch.gather(all, 1, torch.unsqueeze(ids, 1)), 1)
    best = torch.eq(torch.argmax(all, 1), ids)
    return torch.stack([own, torch.to(best, 6)])
  def split(self: __torch__.Kernels, x: Tensor, width: int) -> Tensor:
    return torch.reshape(x, [torch.size(x, 0), -1, width])
  def joined(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.reshape(x, [torch.size(x, 0), -1])
  def cap(self: __torch__.Kernels, x: Tensor, limit: float) -> Tensor:
    return torch.mul(torch.tanh(torch.div(x, limit)), limit)
  def mix(self: __torch__.Kernels, q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor], scale: float, limit: float) -> Tensor:
    if torch.gt(limit, 0.):
      scores = (self).cap(torch.mul(torch.matmul(q, torch.transpose(k, -2, -1)), scale), limit, )
      if torch.__isnot__(mask, None):
        mask0 = unchecked_cast(Tensor, mask)
        seen = torch.add(scores, mask0)
      else:
        seen = scores
      weights = torch.to(torch.softmax(torch.to(seen, 6), -1), ops.prim.dtype(q))
      mixed = torch.matmul(weights, v)
    else:
      mixed = torch.scaled_dot_product_attention(q, k, v, mask, 0., False, scale=scale)
    return mixed
  def row_attention(self: __torch__.Kernels, q: Tensor, k: Tensor, v: Tensor, past: int, window: int, kv_heads: int, scale: float, limit: float) -> Tensor:
    n = torch.size(q, 0)
    t = torch.size(k, 0)
    width = torch.floordiv(torch.size(k, 1), kv_heads)
    heads = torch.floordiv(torch.size(q, 1), width)
    groups = torch.floordiv(heads, kv_heads)
    qs = torch.unsqueeze(torch.transpose(torch.view(q, [n, heads, width]), 0, 1), 0)
    ks = torch.expand(torch.unsqueeze(torch.transpose(torch.view(k, [t, kv_heads, width]), 0, 1), 1), [kv_heads, groups, t, width])
    vs = torch.expand(torch.unsqueeze(torch.transpose(torch.view(v, [t, kv_heads, width]), 0, 1), 1), [kv_heads, groups, t, width])
    ka = torch.reshape(ks, [1, heads, t, width])
    va = torch.reshape(vs, [1, heads, t, width])
    windowed = torch.__and__(torch.gt(window, 0), torch.gt(t, window))
    plain = torch.__and__(torch.__not__(windowed), torch.eq(limit, 0.))
    if torch.__and__(plain, torch.eq(past, 0)):
      mixed = torch.scaled_dot_product_attention(qs, ka, va, None, 0., True, scale=scale)
    else:
      visible = torch.tril(torch.new_ones(q, [n, t], dtype=11), past)
      if windowed:
        near = torch.triu(visible, torch.add(torch.sub(past, window), 1))
      else:
        near = visible
      mask = torch.masked_fill(torch.new_zeros(q, [n, t]), torch.logical_not(near), -inf)
      mixed = (self).mix(qs, ka, va, mask, scale, limit, )
    return torch.reshape(torch.transpose(torch.squeeze(mixed, 0), 0, 1), [n, torch.size(q, 1)])
  def causal_attention(self: __torch__.Kernels, q: Tensor, k: Tensor, v: Tensor, lengths: List[int], window: int, kv_heads: int, scale: float, limit: float) -> Tensor:
    parts = annotate(List[Tensor], [])
    start = 0
    for _0 in range(torch.len(lengths)):
      length = lengths[_0]
      mixed = (self).row_attention(torch.narrow(q, 0, start, length), torch.narrow(k, 0, start, length), torch.narrow(v, 0, start, length), 0, window, kv_heads, scale, limit, )
      _1 = torch.append(parts, mixed)
      start = torch.add(start, length)
    return torch.cat(parts)
  def cached_attention(self: __torch__.Kernels, q: Tensor, k: Tensor, v: Tensor, keys: Tensor, values: Tensor, places: Tensor, chunks: List[int], pages: List[int], rows: List[Tensor], masks: List[Tensor], at: Tensor, order: Tensor, window: int, kv_heads: int, scale: float, limit: float) -> Tensor:
    _0 = torch.index_copy_(keys, 0, places, k)
    _1 = torch.index_copy_(values, 0, places, v)
    width = torch.floordiv(torch.size(k, 1), kv_heads)
    out = torch.new_empty(q, torch.size(q))
    for _2 in range(torch.floordiv(torch.len(chunks), 4)):
      i = torch.mul(_2, 4)
      past = chunks[torch.add(i, 3)]
      seen = torch.add(past, chunks[torch.add(i, 1)])
      ks = torch.narrow(keys, 0, chunks[torch.add(i, 2)], seen)
      vs = torch.narrow(values, 0, chunks[torch.add(i, 2)], seen)
      qs = torch.narrow(q, 0, chunks[i], chunks[torch.add(i, 1)])
      mixed = (self).row_attention(qs, ks, vs, past, window, kv_heads, scale, limit, )
      _3 = torch.copy_(torch.narrow(out, 0, chunks[i], chunks[torch.add(i, 1)]), mixed)
    parts = annotate(List[Tensor], [])
    for _4 in range(torch.floordiv(torch.len(pages), 4)):
      i = torch.mul(_4, 4)
      n = pages[torch.add(i, 1)]
      room = pages[torch.add(i, 2)]
      seen = pages[torch.add(i, 3)]
      shape = [n, room, kv_heads, width]
      ks = torch.transpose(torch.narrow(torch.view(torch.narrow(keys, 0, pages[i], torch.mul(n, room)), shape), 1, 0, seen), 1, 2)
      vs = torch.transpose(torch.narrow(torch.view(torch.narrow(values, 0, pages[i], torch.mul(n, room)), shape), 1, 0, seen), 1, 2)
      qs = torch.reshape(torch.index_select(q, 0, rows[_4]), [n, kv_heads, -1, width])
      mixed = (self).mix(qs, ks, vs, masks[_4], scale, limit, )
      _5 = torch.append(parts, torch.reshape(mixed, [n, torch.size(q, 1)]))
    if torch.gt(torch.len(parts), 0):
      _6 = torch.index_copy_(out, 0, at, torch.index_select(torch.cat(parts), 0, order))
    return out
  def add_product(self: __torch__.Kernels, y: Tensor, b: Tensor, a: Tensor, scale: float) -> Tensor:
    return torch.addmm(y, b, a, alpha=scale)
  def add_product_into(self: __torch__.Kernels, into: Tensor, y: Tensor, b: Tensor, a: Tensor, scale: float) -> Tensor:
    n = torch.size(y, 0)
    in_blocks = torch.__and__(torch.gt(torch.size(y, 1), n), torch.eq(torch.remainder(n, 8), 0))
    if in_blocks:
      shape = [8, torch.floordiv(n, 8), torch.size(y, 1)]
      left = torch.view(torch.contiguous(b), [8, torch.floordiv(n, 8), torch.size(b, 1)])
      right = torch.expand(torch.unsqueeze(a, 0), [8, torch.size(a, 0), torch.size(a, 1)])
      sum = torch.baddbmm(torch.view(y, shape), left, right, alpha=scale, out=torch.view(into, shape))
    else:
      sum = torch.addmm(y, b, a, alpha=scale, out=into)
    return sum
  def add_scaled_into(self: __torch__.Kernels, into: Tensor, x: Tensor, y: Tensor, scale: float) -> Tensor:
    return torch.add(x, y, alpha=scale, out=into)
  def linear_into(self: __torch__.Kernels, y: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    seen = torch.reshape(x, [-1, torch.size(weight, 1)])
    return torch.mm(seen, torch.t(weight), out=torch.view(y, [-1, torch.size(weight, 0)]))
  def linear_bias_into(self: __torch__.Kernels, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    seen = torch.reshape(x, [-1, torch.size(weight, 1)])
    return torch.addmm(bias, seen, torch.t(weight), out=torch.view(y, [-1, torch.size(weight, 0)]))
  def start(self: __torch__.Kernels, x: Tensor, rows: int, columns: int) -> Tensor:
    return torch.view(torch.narrow(x, 0, 0, torch.mul(rows, columns)), [rows, columns])
  def add_low_rank_(self: __torch__.Kernels, y: Tensor, x: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    seen = torch.linear(torch.reshape(x, [-1, torch.size(a, 1)]), a)
    _0 = torch.addmm_(torch.view(y, [-1, torch.size(b, 0)]), seen, torch.t(b), alpha=scale)
    return y
  def add_low_ranks_(self: __torch__.Kernels, y: Tensor, x: Tensor, gather: Tensor, back: Tensor, tokens: Tensor, slots: int, a: Tensor, b: Tensor) -> Tensor:
    seen = torch.view(torch.index_select(x, 0, gather), [slots, -1, torch.size(x, 1)])
    thin = torch.bmm(seen, torch.transpose(torch.narrow(a, 0, 0, slots), 1, 2))
    flat = torch.view(torch.bmm(thin, torch.narrow(b, 0, 0, slots)), [-1, torch.size(y, 1)])
    return torch.index_add_(y, 0, tokens, torch.index_select(flat, 0, back))
  def add_even_low_ranks_(self: __torch__.Kernels, y: Tensor, x: Tensor, slots: int, a: Tensor, b: Tensor) -> Tensor:
    seen = torch.reshape(x, [slots, -1, torch.size(x, 1)])
    thin = torch.bmm(seen, torch.transpose(torch.narrow(a, 0, 0, slots), 1, 2))
    return torch.baddbmm_(torch.view(y, [slots, -1, torch.size(y, 1)]), thin, torch.narrow(b, 0, 0, slots))
  def copy_low_rank_(self: __torch__.Kernels, into_a: Tensor, into_b: Tensor, a: Tensor, b: Tensor, slot: int, scale: float) -> Tensor:
    r = torch.size(a, 0)
    slot_a = torch.zero_(torch.select(into_a, 0, slot))
    slot_b = torch.zero_(torch.select(into_b, 0, slot))
    _0 = torch.copy_(torch.narrow(slot_a, 0, 0, r), a)
    return torch.copy_(torch.narrow(slot_b, 0, 0, r), torch.mul(torch.t(b), scale))
  def clear_low_rank_(self: __torch__.Kernels, into: Tensor, slot: int) -> Tensor:
    return torch.zero_(torch.select(into, 0, slot))
  def empty_like(self: __torch__.Kernels, like: Tensor, shape: List[int]) -> Tensor:
    return torch.new_empty(like, shape)
  def add_linear_(self: __torch__.Kernels, y: Tensor, x: Tensor, weight: Tensor, scale: float) -> Tensor:
    seen = torch.reshape(x, [-1, torch.size(weight, 1)])
    _0 = torch.addmm_(torch.view(y, [-1, torch.size(weight, 0)]), seen, torch.t(weight), alpha=scale)
    return y
  def add_scaled_low_rank_(self: __torch__.Kernels, y: Tensor, x: Tensor, a: Tensor, d: Tensor, b: Tensor, e: Tensor, scale: float) -> Tensor:
    width = torch.size(x, -1)
    seen = torch.mul(torch.linear(torch.reshape(x, [-1, width]), torch.narrow(a, 1, 0, width)), d)
    height = torch.size(e, 0)
    out = torch.mul(torch.linear(seen, torch.narrow(b, 0, 0, height)), e)
    _0 = torch.add_(torch.view(y, [-1, height]), out, alpha=scale)
    return y
  def row_products(self: __torch__.Kernels, x: Tensor, y: Tensor) -> Tensor:
    return torch.reshape(torch.mul(torch.unsqueeze(x, 1), torch.unsqueeze(y, 0)), [-1, torch.size(x, 1)])
  def column_products(self: __torch__.Kernels, x: Tensor, y: Tensor) -> Tensor:
    return torch.reshape(torch.mul(torch.unsqueeze(x, 2), torch.unsqueeze(y, 1)), [torch.size(x, 0), -1])
  def product_of_products(self: __torch__.Kernels, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return torch.mul(torch.mm(a, b), torch.mm(c, d))
  def mm(self: __torch__.Kernels, x: Tensor, y: Tensor) -> Tensor:
    return torch.mm(x, y)
  def add_kron_(self: __torch__.Kernels, y: Tensor, x: Tensor, w1: Tensor, a: Tensor, scale: float) -> Tensor:
    seen = torch.linear(torch.reshape(x, [-1, torch.size(w1, 1), torch.size(a, 1)]), a)
    return torch.add_(y, torch.reshape(torch.matmul(w1, seen), torch.size(y)), alpha=scale)
  def add_kron_low_rank_(self: __torch__.Kernels, y: Tensor, x: Tensor, w1: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    seen = torch.linear(torch.reshape(x, [-1, torch.size(w1, 1), torch.size(a, 1)]), a)
    mixed = torch.linear(torch.matmul(w1, seen), b)
    return torch.add_(y, torch.reshape(mixed, torch.size(y)), alpha=scale)
  def add_kron(self: __torch__.Kernels, y: Tensor, w1: Tensor, w2: Tensor, scale: float) -> Tensor:
    return torch.add(y, torch.kron(w1, w2), alpha=scale)
  def skew(self: __torch__.Kernels, upper: Tensor, size: int, limit: float) -> Tensor:
    zero = torch.new_zeros(upper, [torch.size(upper, 0), size, size], dtype=6)
    place = torch.triu(torch.ones_like(zero, dtype=11), 1)
    half = torch.masked_scatter(zero, place, torch.to(upper, 6))
    q = torch.sub(half, torch.transpose(half, 1, 2))
    length = torch.norm(q, 2, [1, 2], True)
    return torch.where(torch.le(length, limit), q, torch.mul(torch.div(q, length), limit))
  def cayley(self: __torch__.Kernels, upper: Tensor, size: int, limit: float) -> Tensor:
    q = (self).skew(upper, size, limit, )
    one = torch.diag_embed(torch.new_ones(q, [1, size]))
    r = torch.linalg_solve(torch.add(one, q), torch.sub(one, q), left=False)
    return torch.to(r, ops.prim.dtype(upper))
  def neumann(self: __torch__.Kernels, upper: Tensor, size: int, limit: float, degree: int) -> Tensor:
    q = (self).skew(upper, size, limit, )
    r = torch.add(torch.zeros_like(q), torch.diag_embed(torch.new_ones(q, [1, size])))
    power = q
    for _0 in range(degree):
      last = torch.__and__(torch.gt(degree, 1), torch.eq(_0, torch.sub(degree, 1)))
      if last:
        share = 1.
      else:
        share = 2.
      r = torch.add(r, power, alpha=share)
      power = torch.bmm(power, q)
    return torch.to(r, ops.prim.dtype(upper))
  def rotate(self: __torch__.Kernels, x: Tensor, r: Tensor) -> Tensor:
    size = torch.size(r, 2)
    count = torch.floordiv(torch.size(x, -1), size)
    blocks = torch.transpose(torch.reshape(x, [-1, count, size]), 0, 1)
    turned = torch.bmm(blocks, torch.expand(r, [count, size, size]))
    return torch.reshape(torch.transpose(turned, 0, 1), torch.size(x))
  def rotate_back(self: __torch__.Kernels, x: Tensor, r: Tensor) -> Tensor:
    return (self).rotate(x, torch.transpose(r, 1, 2), )
  def within(self: __torch__.Kernels, places: Tensor, rows: int, columns: int) -> bool:
    below = torch.logical_and(torch.lt(torch.select(places, 0, 0), rows), torch.lt(torch.select(places, 0, 1), columns))
    return bool(torch.all(torch.logical_and(below, torch.ge(places, 0))))
  def flat_places(self: __torch__.Kernels, places: Tensor, columns: int, dtype: int) -> Tensor:
    flat = torch.add(torch.mul(torch.select(places, 0, 0), columns), torch.select(places, 0, 1))
    return torch.to(flat, dtype)
  def scatter(self: __torch__.Kernels, values: Tensor, places: Tensor, rows: int, columns: int) -> Tensor:
    into = torch.index_add_(torch.new_zeros(values, [torch.mul(rows, columns)]), 0, places, values)
    return torch.view(into, [rows, columns])
  def add_at_into(self: __torch__.Kernels, into: Tensor, y: Tensor, values: Tensor, places: Tensor, scale: float) -> Tensor:
    _0 = torch.copy_(into, y)
    _1 = torch.index_add_(torch.view(into, [-1]), 0, places, values, alpha=scale)
    return into
  def add_sparse_linear_(self: __torch__.Kernels, y: Tensor, x: Tensor, values: Tensor, places: Tensor, scale: float) -> Tensor:
    delta = (self).scatter(values, places, torch.size(y, -1), torch.size(x, -1), )
    return (self).add_linear_(y, x, delta, scale, )
  def turns(self: __torch__.Kernels, theta: Tensor, alpha: Tensor, groups: int, group: int) -> Tensor:
    copies = torch.floordiv(torch.mul(torch.mul(groups, group), 2), torch.size(theta, 0))
    angle = torch.reshape(torch.repeat(torch.reshape(torch.to(theta, 6), [groups, -1]), [1, copies]), [groups, 2, group])
    length = torch.reshape(torch.repeat(torch.reshape(torch.to(alpha, 6), [groups, -1]), [1, copies]), [groups, 2, group])
    c = torch.mul(torch.select(length, 1, 0), torch.cos(torch.select(angle, 1, 0)))
    s = torch.mul(torch.select(length, 1, 1), torch.sin(torch.select(angle, 1, 1)))
    return torch.to(torch.reshape(torch.stack([c, s]), [2, -1]), ops.prim.dtype(theta))
  def turn(self: __torch__.Kernels, y: Tensor, turns: Tensor, group: int) -> Tensor:
    halves = torch.reshape(y, [-1, 2, torch.floordiv(group, 2)])
    partner = torch.stack([torch.neg(torch.select(halves, 1, 1)), torch.select(halves, 1, 0)], 1)
    kept = torch.mul(y, torch.select(turns, 0, 0))
    return torch.addcmul(kept, torch.reshape(partner, torch.size(y)), torch.select(turns, 0, 1))
  def turn_columns(self: __torch__.Kernels, weight: Tensor, turns: Tensor, group: int) -> Tensor:
    return torch.contiguous(torch.t((self).turn(torch.t(weight), turns, group, )))
  def replace_rows(self: __torch__.Kernels, y: Tensor, ids: Tensor, tokens: Tensor, rows: Tensor) -> Tensor:
    place = torch.clamp_max(torch.searchsorted(tokens, ids), torch.sub(torch.size(tokens, 0), 1))
    hit = torch.eq(torch.take(tokens, place), ids)
    return torch.where(torch.unsqueeze(hit, -1), torch.embedding(rows, place), y)
  def copy_rows(self: __torch__.Kernels, table: Tensor, tokens: Tensor, rows: Tensor) -> Tensor:
    return torch.index_copy(table, 0, tokens, rows)
  def copy_columns_(self: __torch__.Kernels, y: Tensor, tokens: Tensor, columns: Tensor) -> Tensor:
    return torch.index_copy_(y, -1, tokens, columns)
  def flat(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.reshape(x, [-1])
  def columns(self: __torch__.Kernels, x: Tensor, start: int, length: int) -> Tensor:
    return torch.narrow(x, 1, start, length)
  def mul(self: __torch__.Kernels, x: Tensor, y: Tensor) -> Tensor:
    return torch.mul(x, y)
  def mul_(self: __torch__.Kernels, y: Tensor, d: Tensor) -> Tensor:
    return torch.mul_(y, d)
  def scale_rows(self: __torch__.Kernels, x: Tensor, d: Tensor) -> Tensor:
    return torch.mul(x, torch.unsqueeze(d, 1))
  def scale_from(self: __torch__.Kernels, x: Tensor, origin: Tensor, d: Tensor) -> Tensor:
    return torch.add(origin, torch.mul(torch.sub(x, origin), d))
  def gain(self: __torch__.Kernels, m: Tensor, x: Tensor, axis: int) -> Tensor:
    length = torch.norm(torch.to(x, 6), 2, [axis])
    return torch.to(torch.div(torch.to(m, 6), length), ops.prim.dtype(m))
  def right_vectors(self: __torch__.Kernels, weight: Tensor) -> Tensor:
    _0, _1, vh = torch.linalg_svd(torch.to(weight, 6), False)
    return torch.to(vh, ops.prim.dtype(weight))
  def largest(self: __torch__.Kernels, weight: Tensor, r: int) -> Tensor:
    return torch.clone(torch.narrow((self).right_vectors(weight, ), 0, 0, r))
  def smallest(self: __torch__.Kernels, weight: Tensor, r: int) -> Tensor:
    vh = (self).right_vectors(weight, )
    return torch.clone(torch.narrow(vh, 0, torch.sub(torch.size(vh, 0), r), r))
  def leading_columns(self: __torch__.Kernels, weight: Tensor, r: int) -> Tensor:
    q, _0 = torch.linalg_qr(torch.to(weight, 6))
    return torch.contiguous(torch.to(torch.narrow(q, 1, 0, r), ops.prim.dtype(weight)))
  def transpose(self: __torch__.Kernels, x: Tensor) -> Tensor:
    return torch.contiguous(torch.t(x))
  def at(self: __torch__.Kernels, x: Tensor, place: int) -> Tensor:
    return torch.select(x, 1, place)
  def mean_pool(self: __torch__.Kernels, x: Tensor, mask: Tensor) -> Tensor:
    keep = torch.to(torch.unsqueeze(mask, -1), 6)
    return torch.div(torch.sum(torch.mul(x, keep), [1]), torch.sum(keep, [1]))
  def max_pool(self: __torch__.Kernels, x: Tensor, mask: Tensor) -> Tensor:
    drop = torch.unsqueeze(torch.logical_not(mask), -1)
    return torch.amax(torch.masked_fill(x, drop, -inf), [1])
  def last_pool(self: __torch__.Kernels, x: Tensor, mask: Tensor) -> Tensor:
    last = torch.sub(torch.sum(mask, [1]), 1)
    return torch.index(x, [torch.arange(torch.size(x, 0)), last])
  def normalize(self: __torch__.Kernels, x: Tensor) -> Tensor:
    length = torch.norm(x, 2, [-1], True)
    return torch.div(x, torch.clamp_min(length, 1.e-12))
  def encode(self: __torch__.Kernels, x: Tensor, offset: int, length: int, stored: int) -> Tensor:
    part = torch.narrow(torch.reshape(x, [-1]), 0, offset, length)
    return torch.view_copy(torch.to(part, stored), dtype=0)
  def keep_largest(self: __torch__.Kernels, x: Tensor, k: int) -> Tensor:
    flat = torch.reshape(x, [-1])
    _0, places = torch.topk(torch.abs(flat), k)
    mask = torch.index_fill(torch.zeros_like(flat), 0, places, 1)
    return torch.mul(x, torch.view(mask, torch.size(x)))
  def keep_masked(self: __torch__.Kernels, x: Tensor, mask: Tensor, density: float) -> Tensor:
    return torch.div(torch.mul(x, mask), density)
  def weighted_sum(self: __torch__.Kernels, parts: List[Tensor], weights: Tensor) -> Tensor:
    return torch.sum(torch.mul(torch.stack(parts), torch.reshape(weights, [-1, 1, 1])), [0])
  def elected_sum(self: __torch__.Kernels, parts: List[Tensor], weights: Tensor, frequency: int) -> Tensor:
    stack = torch.stack(parts)
    sign = torch.sign(stack)
    if torch.eq(frequency, 1):
      votes = torch.sum(sign, [0])
    else:
      votes = torch.sum(stack, [0])
    majority = torch.sub(torch.mul(torch.to(torch.ge(votes, 0), 6), 2), 1)
    agree = torch.to(torch.eq(sign, majority), 6)
    weighted = torch.mul(stack, torch.reshape(weights, [-1, 1, 1]))
    return torch.div(torch.sum(torch.mul(weighted, agree), [0]), torch.clamp_min(torch.sum(agree, [0]), 1))
  def clamp_to_quantile(self: __torch__.Kernels, x: Tensor, other: Tensor, quantile: float) -> Tensor:
    both = torch.cat([torch.reshape(x, [-1]), torch.reshape(other, [-1])])
    limit = torch.quantile(both, quantile)
    return torch.clamp(x, torch.neg(limit), limit)
