"""Hand calculations of llmpower.formulas.datacenter."""

# Formula -> arguments with units of everyday size, and the result worked out by hand.
CASES = {
    # The article: 100 million a day are 1157.407 a second, times 500 tokens.
    "output_tokens_per_s": (
        {"queries_per_s": "1157.4074074074074 1/s", "output_tokens_per_query": 500},
        "578703.7037037037 1/s",
    ),
    "mean_context_tokens": ({"prompt_tokens_per_query": 1000, "output_tokens_per_query": 500}, "1250 1"),
    # 989 TFLOP/s over 98.9 GFLOP a token.
    "prefill_tokens_per_s": ({"dense_flop_per_s": "989 TFLOP/s", "prompt_flop_per_token": "98.9 GFLOP"}, "10000 1/s"),
    # 500 tokens read in 50 ms and 500 written in 200 ms: 500 in 250 ms.
    "served_tokens_per_s": (
        {
            "prompt_tokens_per_query": 500,
            "output_tokens_per_query": 500,
            "prefill_tokens_per_s": "10000 1/s",
            "decode_tokens_per_s": "2500 1/s",
        },
        "2000 1/s",
    ),
    # 600,000 x 1.5 / (1000 x 0.5).
    "accelerators_needed": (
        {
            "output_tokens_per_s": "600000 1/s",
            "peak_to_average": 1.5,
            "served_tokens_per_s": "1000 1/s",
            "max_load": 0.5,
        },
        "1800 1",
    ),
    # 2000 tokens/s for 64 are 31.25 for each: 500 take 16 s.
    "request_time_s": ({"output_tokens_per_query": 500, "batch": 64, "tokens_per_s": "2000 1/s"}, "16 s"),
    # 36,000 an hour are 10 a second, at the peak 15; each stays for 16 s.
    "users_at_once": ({"queries_per_s": "36000 1/h", "peak_to_average": 1.5, "request_time_s": "16 s"}, "240 1"),
    "mean_load": (
        {"output_tokens_per_s": "600000 1/s", "n_accelerators": 1800, "served_tokens_per_s": "1000 1/s"},
        "0.333333333333 1",
    ),
    # DGX H100: 5.6 kW of boards and 4.6 kW of the rest.
    "server_power_w": (
        {"accelerators_per_server": 8, "accelerator_power_w": "700 W", "host_power_w": "4.6 kW"},
        "10.2 kW",
    ),
    "it_power_w": ({"n_servers": 483, "server_power_w": "10.2 kW"}, "4.9266 MW"),
    "facility_power_w": ({"it_power_w": "4.9266 MW", "pue": 1.5}, "7.3899 MW"),
    # 8 boards at 2 dollars an hour for a day.
    "rented_usd": ({"n_accelerators": 8, "accelerator_cost_usd_per_s": "2 usd/h", "time_s": "24 h"}, "384 usd"),
    # 35 GWh at 5 cents a kilowatt-hour.
    "electricity_cost_usd": ({"energy_j": "35 GW*h", "electricity_price_usd_per_j": "0.05 usd/(kW*h)"}, "1.75e6 usd"),
    "emitted_carbon_kg": ({"energy_j": "35 GW*h", "carbon_kg_per_j": "0.4 kilogram/(kW*h)"}, "1.4e7 kilogram"),
    # 20 GWh x 0.4 L + 30 GWh x 7.6 L = 8 + 228 million litres.
    "used_water_m3": (
        {
            "it_energy_j": "20 GW*h",
            "site_water_m3_per_j": "0.0004 metre**3/(kW*h)",
            "energy_j": "30 GW*h",
            "grid_water_m3_per_j": "0.0076 metre**3/(kW*h)",
        },
        "236000 metre**3",
    ),
    # Ledger, C57: 35 GWh over 10,715 kWh.
    "n_households": ({"energy_j": "35 GW*h", "household_energy_j": "10715 kW*h"}, "3266.44890341 1"),
    # 4 MW over 100 million a day: 0.96 Wh.
    "energy_per_query_j": ({"facility_power_w": "4 MW", "queries_per_s": "1157.4074074074074 1/s"}, "0.96 W*h"),
    # 0.96 Wh at 5 cents a kWh is 4.8e-5 dollars; twice that for 1,000 of 500 tokens.
    "tokens_cost_usd": (
        {
            "tokens_priced": 1000,
            "query_energy_j": "0.96 W*h",
            "electricity_price_usd_per_j": "0.05 usd/(kW*h)",
            "output_tokens_per_query": 500,
        },
        "9.6e-5 usd",
    ),
    "training_over_service": ({"training_energy_j": "42 GW*h", "energy_j": "35000 MW*h"}, "1.2 1"),
    # 42 GWh at 4 MW: 10,500 hours.
    "training_payback_s": ({"training_energy_j": "42 GW*h", "facility_power_w": "4 MW"}, "10500 h"),
    "servers_by_power": ({"it_power_w": "0.12 MW", "server_power_w": "10 kW"}, "12 1"),
    "site_it_power_w": ({"site_power_w": "30 MW", "pue": 1.5}, "20 MW"),
    # 1800 x 1000 x 0.5 / (1.5 x 600).
    "site_queries_per_s": (
        {
            "n_accelerators": 1800,
            "served_tokens_per_s": "1000 1/s",
            "max_load": 0.5,
            "peak_to_average": 1.5,
            "output_tokens_per_query": 600,
        },
        "1000 1/s",
    ),
}
