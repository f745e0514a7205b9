-- Updates products: the state is that of the newest event, and all stock deltas are added.
--
-- $1 product; $2 to $4 name, category and price of the newest state; $5 and $6 its version and
-- event id; $7 whether stock is tracked; $8 sum of the stock deltas; $9 time of the newest event.
INSERT INTO products_read AS view
    (product_id, name, category, price, state_version, state_event, stock_tracked, stock_put_in,
     updated_at)
SELECT *
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::numeric[], $5::bigint[], $6::uuid[],
            $7::boolean[], $8::bigint[], $9::timestamptz[])
ON CONFLICT (product_id) DO UPDATE
SET (name, category, price, state_version, state_event, stock_tracked) = (
        SELECT newest.name, newest.category, newest.price, newest.state_version,
               newest.state_event, newest.stock_tracked
        FROM (
            VALUES
                (view.name, view.category, view.price, view.state_version, view.state_event,
                 view.stock_tracked),
                (excluded.name, excluded.category, excluded.price, excluded.state_version,
                 excluded.state_event, excluded.stock_tracked)
        ) AS newest (name, category, price, state_version, state_event, stock_tracked)
        ORDER BY newest.state_version DESC, newest.state_event DESC
        LIMIT 1
    ),
    stock_put_in = view.stock_put_in + excluded.stock_put_in,
    updated_at = greatest(view.updated_at, excluded.updated_at)
