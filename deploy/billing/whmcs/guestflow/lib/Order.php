<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/** An order, as guestflow takes it, made of what WHMCS sends. */
final class Order
{
    /**
     * @param string $name of the guest, and of the order
     * @return array<string, mixed>
     * @throws Failure
     */
    public static function of(Params $params, string $name): array
    {
        $order = ['order' => $name, 'name' => $name, 'plan' => self::planOf($params)];
        $hostname = $params->text('domain', 254);
        if ($hostname !== '') {
            $order['hostname'] = $hostname;
        }
        $customer = $params->id('userid');
        if ($customer !== 0) {
            $order['customer'] = Guests::shopOf($params) . '-' . $customer;
        }
        $dist = $params->chosen('Distribution', 32);
        $dist = $dist === '' ? $params->setting(2, 32) : $dist;
        if ($dist !== '') {
            $order['dist'] = strtolower($dist);
        }
        $timezone = $params->chosen('Time zone', 64);
        if ($timezone !== '') {
            $order['timezone'] = $timezone;
        }
        return $order + self::accessOf($params);
    }

    public static function planOf(Params $params): string
    {
        $plan = $params->setting(1, 64);
        if ($plan === '') {
            throw new Failure('the product has no plan: choose one in its module settings');
        }
        return $plan;
    }

    /** @return array<string, mixed> */
    private static function accessOf(Params $params): array
    {
        $access = [];
        $keys = preg_split('/\R/', $params->chosen('SSH key', 16384), -1, PREG_SPLIT_NO_EMPTY);
        $keys = array_values(array_filter(array_map('trim', $keys === false ? [] : $keys)));
        if ($keys !== []) {
            $access['sshKeys'] = $keys;
        }
        if ($params->isOn(4)) {
            $access['passwordHash'] = self::hash($params->password());
        }
        if ($access === []) {
            throw new Failure('nobody could log in: the product takes no password, and the customer gave no SSH key');
        }
        return $access;
    }

    /** What guestflow takes of a password: its crypt hash. The password stays here. */
    public static function hash(string $password): string
    {
        $salt = substr(strtr(base64_encode(random_bytes(16)), '+', '.'), 0, 16);
        $hash = crypt($password, '$6$' . $salt . '$');
        if (strlen($hash) < 60) {
            throw new Failure('this PHP has no SHA-512 hash of crypt');
        }
        Log::hide($hash);
        return $hash;
    }
}
