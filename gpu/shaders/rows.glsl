// A row is one query of one of the query heads that share a KV head. Rows count
// query by query, so that the heads of a group stand together and neighbouring
// rows need nearly the same keys.
int row_count() {
	return query_len * group;
}

int row_query(int row) {
	return row / group;
}

int row_head(int kv_head, int row) {
	return kv_head * group + row % group;
}

// row_output returns the index of the row among all (batch, query head, query).
int row_output(int batch, int kv_head, int row) {
	return (batch * heads + row_head(kv_head, row)) * query_len + row_query(row);
}

// row_partial returns the index of the row's partial result of one split.
int row_partial(int batch, int kv_head, int row, int split) {
	return ((batch * kv_heads + kv_head) * row_count() + row) * splits + split;
}
