"""Orders, by a pool of asyncpg in the module."""

pool = None


async def place_order(user_id, product_id, quantity):
    async with pool.acquire() as conn:
        async with conn.transaction():
            stock = await conn.fetchval("SELECT stock FROM products WHERE id = $1", product_id)
            if stock is None or stock < quantity:
                return None
            await conn.execute("UPDATE products SET stock = stock - $2 WHERE id = $1", product_id, quantity)
            return await conn.fetchval(
                "INSERT INTO orders (user_id, product_id, quantity) VALUES ($1, $2, $3) RETURNING id",
                user_id,
                product_id,
                quantity,
            )


async def orders_of(user_id):
    async with pool.acquire() as conn:
        rows = await conn.fetch("SELECT id, quantity, state FROM orders WHERE user_id = $1 ORDER BY id", user_id)
    return [{"id": row["id"], "quantity": row["quantity"], "state": row["state"]} for row in rows]


async def pay(order_id):
    async with pool.acquire() as conn:
        await conn.execute("UPDATE orders SET state = 'paid' WHERE id = $1", order_id)
