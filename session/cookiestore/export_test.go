package cookiestore

// SealXAES encrypts with nothing around it.
func SealXAES(key, nonce, plain, aad []byte) ([]byte, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	return x.aead(nonce).Seal(nil, nonce[nonceSize/2:], plain, aad), nil
}
