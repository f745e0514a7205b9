SELECT
    product_id,
    name,
    category,
    price,
    stock
FROM products_read_view
